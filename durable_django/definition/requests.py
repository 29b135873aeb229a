"""Request: what a wait asks for, settled and checked, whether it stands in the class body or in a
step.

Plain data. It knows no run, no clock and no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final


class _NoValue:
    def __repr__(self) -> str:
        return "NO_VALUE"


NO_VALUE: Final[Any] = _NoValue()
"""Stands for a ``timeout_value`` that was not given: None is one."""


@dataclass(frozen=True)
class Request:
    """One thing to wait for, or to start.

    ``kind``      "sleep", "event", "any", "all", "input", "callback", "call" or "start"
    ``name``      of the event, the input or the callback; of a call or start the workflow's
    ``names``     of "any" and "all": the events
    ``key``       which of the events of that name are meant, "" for those without a key
    ``seconds``   how long a sleep takes, or until a wait times out; None: no limit
    ``until``     of ``sleep_until``: the moment, aware
    ``timeout_value``  what it gives when its time is up; NO_VALUE: it fails
    ``form``      of an input: {"form", "prompt", "fields", "choices"}, see ``inputs.fields``
    ``assignee``  of an input: ("user", username), ("group", name), ("permission", "app.codename"),
                  None for anybody who may answer
    ``input``     of a call or start
    ``version``   of a call or start: which version of the workflow
    ``options``   of a start: the keywords of ``durable_django.start``
    ``on_cancel`` of a call: "cancel" or "abandon"
    """

    kind: str
    name: str = ""
    names: tuple[str, ...] = ()
    key: str = ""
    seconds: float | None = None
    until: datetime | None = None
    timeout_value: Any = NO_VALUE
    form: Mapping[str, Any] | None = None
    assignee: tuple[str, str] | None = None
    input: Any = None
    version: int | None = None
    options: Mapping[str, Any] | None = None
    on_cancel: str = "cancel"

    @property
    def label(self) -> str:
        """How messages call it: ``wait_for_event("payment")``."""
        if self.kind == "sleep":
            return "sleep_for" if self.until is None else "sleep_until"
        named = {"call": "call_workflow", "start": "start_workflow"}
        told = named.get(self.kind, f"wait_for_{self.kind}")
        what = ", ".join(repr(name) for name in self.names) or repr(self.name)
        return f"{told}({what})"
