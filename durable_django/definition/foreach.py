"""ForEach: a fork whose children run once for every item, in order for each.

Says what the items are and how many may fail. It goes through none of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from durable_django.definition.blocks import AskingBlock
from durable_django.definition.conditions import Condition, Given, checked_limit
from durable_django.definition.fork import Fork, OnError

if TYPE_CHECKING:
    from durable_django.definition.definition import Definition


class ForEach(AskingBlock, Fork):
    """A block that runs for every item: ``with foreach(recipients, concurrency=10) as sending:``.

    `condition` is what gives the items. Each item is one member of the fork; its `children` run in
    order.
    """

    kind: ClassVar[str] = "foreach"

    def __init__(
        self,
        items: Given,
        *,
        concurrency: int | None = None,
        on_error: OnError = "fail_fast",
        tolerate: int | float | None = None,
    ) -> None:
        super().__init__()
        self.condition = self._checked_condition(Condition("items", items, may_yield=True))
        self.concurrency = (
            None if concurrency is None else checked_limit(self, "concurrency", concurrency)
        )
        self.on_error = self._checked_on_error(on_error)
        self.tolerate = self._checked_tolerate(tolerate)

    def body(self, workflow: Any) -> Any:
        """The items of this run, as they were given: an iterable that nobody has begun to read.

        KeyError for a context key or an output that is missing, TypeError for what are no items.
        """
        items = self.condition.ask(workflow)
        if isinstance(items, (str, bytes, bytearray)):
            raise TypeError(
                f"items gave a {type(items).__name__}, whose items would be its single "
                f"{'characters' if isinstance(items, str) else 'bytes'}; give a list"
            )
        if _can_be_iterated(items):
            return items
        if hasattr(type(items), "__aiter__"):
            raise TypeError(
                f"items gave an async iterable ({type(items).__name__}); it is asked without "
                "await, so give a list, or anything else that a plain for goes through"
            )
        raise TypeError(
            f"items gave {items!r:.80}, which is not iterable; give a list, or anything else that "
            "a for goes through"
        )

    def structure(self, definition: Definition) -> dict[str, Any]:
        told = super().structure(definition)
        return {
            **told,
            "items": self.condition.structure(),
            "concurrency": self.concurrency,
            "on_error": self.on_error,
            "tolerate": self.tolerate,
            "children": told.pop("children"),
        }

    def _checked_tolerate(self, value: object) -> int | float | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.mistake(
                "tolerate is a number of items, or a fraction of them between 0.0 and 1.0, not "
                f"{value!r:.80}"
            )
        if isinstance(value, int):
            if value < 0:
                raise self.mistake(f"tolerate is at least 0, not {value!r:.40}")
            return int(value)
        if not (math.isfinite(value) and 0 <= value <= 1):
            raise self.mistake(
                "tolerate is a fraction between 0.0 and 1.0 when it is a float, not "
                f"{value!r:.40}; a number of items is a whole number"
            )
        return float(value)


def _can_be_iterated(value: object) -> bool:
    # Not iter(): for a QuerySet that is the query already.
    kind = type(value)
    return getattr(kind, "__iter__", None) is not None or (
        not hasattr(kind, "__iter__") and hasattr(kind, "__getitem__")
    )


def foreach(
    items: Given,
    *,
    concurrency: int | None = None,
    on_error: OnError = "fail_fast",
    tolerate: int | float | None = None,
) -> ForEach:
    """A block whose nodes run, in order, for every item; in them, ``self.item`` is the item and
    ``self.index`` its number from 0. Its output is a sequence in the order of the items.

    `items`: a node (its output), a callable(self) that gives any iterable, or a context key.
    `concurrency`: how many items run at once, None for all. `on_error`: with "fail_fast" the first
    failure fails the block, items not yet started never start; with "collect" all run, and the
    output of a failed one is a `MemberFailure`. `tolerate`: the number of failures, or the fraction
    of the items as a float (``0.05``), that is borne; more fail the block, with "collect" at its
    end. `DefinitionError` for what cannot be a foreach.

    Example::

        with foreach("recipients", concurrency=10, tolerate=0.05) as sending:
            @step
            def send(self):
                mail(self.item)
    """
    return ForEach(items, concurrency=concurrency, on_error=on_error, tolerate=tolerate)
