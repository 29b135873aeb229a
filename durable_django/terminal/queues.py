"""``durable queues``: what waits in each and who serves it; pauses, resumes and limits one."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any, Final

from rich.text import Text

from .. import api_queues, figures
from ..models import Queue
from .command import DONE, WRONG_USAGE, Command, Refused, add_reason
from .known import unknown_queue
from .screen import Column, Terminal

NOTHING: Final = "\N{EN DASH}"
NO_LIMIT: Final = "none"


class Queues(Command):
    """Without a word it lists them; with one it does that to a queue."""

    name = "queues"
    help = "list the queues; pause, resume or limit one"
    epilog = """\
manage.py durable queues
manage.py durable queues pause mail --reason "the provider is down"
manage.py durable queues resume mail
manage.py durable queues limit reports 2
manage.py durable queues limit reports none
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "action", nargs="?", choices=("list", *_ACTIONS), default="list", help="default: list"
        )
        parser.add_argument("queue", nargs="?", metavar="NAME", help="the queue")
        parser.add_argument(
            "limit",
            nargs="?",
            metavar="N|none",
            help="how much of it workers hold at once, all together",
        )
        add_reason(parser)

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """Lists, or does what is asked and shows the queue as it is then."""
        if options.action == "list":
            _list(terminal, options.queue)
            return DONE
        if options.queue is None:
            raise Refused(f"{options.action} which queue? Give its name", WRONG_USAGE)
        if options.limit is not None and options.action != "limit":
            raise Refused(f"{options.action} takes no limit: {options.limit}", WRONG_USAGE)
        try:
            queue, told = _ACTIONS[options.action](options, terminal.by)
        except (TypeError, ValueError) as error:
            raise Refused(str(error), WRONG_USAGE) from None
        if terminal.json:
            terminal.emit(_document(_figures_of(queue.name)))
        else:
            terminal.say(told)
        return DONE


def _pause(options: Namespace, by: str) -> tuple[Queue, str]:
    queue = api_queues.pause_queue(options.queue, reason=options.reason, by=by)
    return queue, f"Queue {queue.name} is paused. What workers hold already goes on."


def _resume(options: Namespace, by: str) -> tuple[Queue, str]:
    queue = api_queues.resume_queue(options.queue, reason=options.reason, by=by)
    return queue, f"Queue {queue.name} goes on."


def _limit(options: Namespace, by: str) -> tuple[Queue, str]:
    number = _number(options.limit)
    queue = api_queues.limit_queue(options.queue, number, reason=options.reason, by=by)
    if number is None:
        return queue, f"Queue {queue.name} has no limit."
    return queue, f"Workers hold at most {number:,} of queue {queue.name} at once, all together."


def _number(text: str | None) -> int | None:
    if text is None:
        raise Refused(f"which limit? Give a number, or {NO_LIMIT}", WRONG_USAGE)
    if text.lower() == NO_LIMIT:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Refused(f"the limit is a number, or {NO_LIMIT}, not {text!r}", WRONG_USAGE)
    return int(text)


_ACTIONS: Final[dict[str, Callable[[Namespace, str], tuple[Queue, str]]]] = {
    "pause": _pause,
    "resume": _resume,
    "limit": _limit,
}


def _figures_of(name: str) -> figures.QueueFigures:
    found = figures.fleet(names=[name])
    return next(queue for queue in found.queues if queue.name == name)


def _list(terminal: Terminal, only: str | None) -> None:
    names = [queue.name for queue in api_queues.list_queues()]
    found = [
        queue for queue in figures.fleet(names=names).queues if only is None or queue.name == only
    ]
    if only is not None and not found:
        raise unknown_queue(only, names)
    if terminal.json:
        terminal.emit({"queues": [_document(queue) for queue in found]})
    else:
        _draw(terminal, found)


def _state(queue: figures.QueueFigures) -> str:
    if queue.paused_at is not None:
        return "paused"
    return "unserved" if queue.is_unserved else "open"


def _word(terminal: Terminal, queue: figures.QueueFigures) -> Text:
    state = _state(queue)
    if state == "paused":
        return terminal.status(state)
    return Text("no worker", style="bold red") if state == "unserved" else Text(state)


def _document(queue: figures.QueueFigures) -> dict[str, Any]:
    return {
        "name": queue.name,
        "state": _state(queue),
        "paused_at": queue.paused_at,
        "waiting": queue.waiting.number,
        "waiting_is_capped": queue.waiting.more,
        "oldest_at": queue.oldest_at,
        "running": queue.running,
        "concurrency_limit": queue.limit,
        "workers": queue.workers,
        "threads": queue.threads,
    }


def _draw(terminal: Terminal, found: list[figures.QueueFigures]) -> None:
    columns = [
        Column("QUEUE", fixed=True),
        Column("STATE", fixed=True),
        Column("WAITING", right=True, fixed=True),
        Column("OLDEST", rank=1),
        Column("IN HAND", right=True, rank=1),
        Column("LIMIT", right=True, rank=2),
        Column("WORKERS", right=True, rank=2),
        Column("THREADS", right=True, rank=3),
    ]
    rows = [
        (
            queue.name,
            _word(terminal, queue),
            str(queue.waiting),
            NOTHING if queue.oldest_at is None else terminal.moment(queue.oldest_at),
            f"{queue.running:,}",
            NOTHING if queue.limit is None else f"{queue.limit:,}",
            f"{queue.workers:,}",
            f"{queue.threads:,}",
        )
        for queue in found
    ]
    terminal.table(columns, rows)
