"""A scenario of the demo: what it starts, what people do meanwhile, what is printed in the end.

Each app has its own in a module called demo.py; `manage.py shop_demo` is the stage.
"""

from collections.abc import Iterable
from typing import ClassVar

from durable_django import Workflow
from example_project.shop.report import Batch


class Scenario:
    """`name` is what one asks for it by; `about` says in a line what it shows, `by_hand` what one
    can do oneself in the admin. With `needs_orders` there are orders in the shop when it starts.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    by_hand: ClassVar[str] = ""
    workflows: ClassVar[tuple[type[Workflow], ...]]
    needs_orders: ClassVar[bool] = False
    timeline_title: ClassVar[str] = ""

    def start(self) -> str:
        """Starts its runs; a line that says which, or nothing."""
        return ""

    def play(self) -> None:
        """What those outside do by now: called again and again while runs are under way."""

    def follow(self) -> str:
        """Starts what can only follow when all that was started has ended; a line, or nothing."""
        return ""

    def summary(self, batch: Batch) -> Iterable[str]:
        """What became of it, line by line."""
        return ()

    def timeline(self, batch: Batch) -> Iterable[str]:
        """One run of it, attempt by attempt."""
        return ()

    def mistakes(self, batch: Batch) -> Iterable[str]:
        """What does not add up."""
        return ()
