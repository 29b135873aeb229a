"""Runs from a file of JSON lines, an input on each: what the terminal and the admin share.

It tells the lines apart, judges all of them, and starts what was judged. The words that people read
of a line that is refused are the caller's, as is the size of a file. Models are imported when a
function runs, as in ``api``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.db import DatabaseError

from .conf import settings
from .engine import values
from .store.options import input_text, settled

if TYPE_CHECKING:
    from .definition.workflow import Workflow


class Line(NamedTuple):
    """What stands on a line, which is counted from 1."""

    number: int
    text: bytes


class Verdict(NamedTuple):
    """What came of a line: the input as it is stored, or why it is refused."""

    number: int
    text: str
    error: Exception | None = None


def lines_of(source: Iterable[bytes], first: int = 1) -> Iterator[Line]:
    """The lines that hold something, from one on.

    >>> [line.number for line in lines_of([b"1", b" ", b"2"])]
    [1, 3]
    """
    for number, text in enumerate(source, 1):
        if number >= first and text.strip():
            yield Line(number, text)


def text_of(line: Line) -> str:
    """The line as text, without what stands around it. UnicodeDecodeError where it is no UTF-8."""
    return line.text.decode("utf-8-sig").strip()


def value_of(line: Line) -> Any:
    """The value on a line, which the gate has let through. Raises UnicodeDecodeError,
    JSONDecodeError, ValueError or RecursionError for what cannot be read, NotSerializable for what
    cannot be kept."""
    value = values.decode(text_of(line))
    values.encode(value, "input", limit=settings.MAX_PAYLOAD_BYTES)
    return value


def judge(
    cls: type[Workflow], lines: Iterable[Line], value: Callable[[Line], Any] = value_of
) -> Iterator[Verdict]:
    """Judges each line, by ``value`` and by the workflow's ``clean_input``, whatever that raises.
    Nothing is written. What goes wrong in the database is no verdict: DatabaseError."""
    for line in lines:
        try:
            verdict = Verdict(line.number, input_text(cls, value(line)))
        except DatabaseError:
            raise
        except Exception as error:
            verdict = Verdict(line.number, "", error)
        yield verdict


def start_judged(
    cls: type[Workflow],
    texts: Sequence[str],
    *,
    idempotency_key: str | None = None,
    by: Any = None,
    **options: Any,
) -> list[UUID]:
    """Starts a run for each input that was judged, in one transaction; their ids in order. Options
    are those of ``start_many``. An ``idempotency_key`` is kept by the first of them: if a run of
    the workflow has it already, nothing is started, and there are no ids."""
    from .store import audit, starting

    audit.who(by)
    settled_options = settled(cls, idempotency_key=idempotency_key, **options)
    ids = starting.insert_many(settled_options, texts, by)
    starting.tell_started(cls.definition.name, ids)
    return ids
