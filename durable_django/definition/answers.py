"""Answer: what a person gave to a request for input, with who gave it and when.

Plain data, read from the run's waits. It asks nobody and stores nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One answered request for input: ``self.answers["approval"]``.

    ``value``      what was given, as the wait's output has it
    ``by``         the username of who answered; None where nobody was named, or on a timeout
    ``comment``    what they wrote beside it, "" for nothing
    ``at``         when it was answered or its time was up, aware
    ``timed_out``  whether nobody answered, and `value` is the ``timeout_value``

    Example::

        answer = self.answers["approval"]
        if answer.value == "rejected" and not answer.timed_out:
            mail(self.input["email"], f"{answer.by} says: {answer.comment}")
    """

    value: Any
    by: str | None = None
    comment: str = ""
    at: datetime | None = None
    timed_out: bool = False
