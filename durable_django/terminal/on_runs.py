"""Commands that do one thing to one run or to many: cancel, retry, pause, resume.

Each run is in a transaction of its own: one that has moved on is told, and does not stop the
others. What is done to a run is the API's.
"""

from __future__ import annotations

from abc import abstractmethod
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from ..exceptions import DurableError
from ..models import Execution
from . import chosen
from .chosen import Chosen
from .command import DONE, REFUSED, Command
from .screen import Terminal

# So many are told one by one; of more, how many.
TOLD_MAX = 20


class OnRuns(Command):
    """``statuses`` are those in which it can be done to a run, ``usual`` those that a filter means
    which names none (empty: all of them); ``verb`` and ``past`` are its words."""

    statuses: ClassVar[Sequence[str]]
    usual: ClassVar[Sequence[str]] = ()
    verb: ClassVar[str]
    past: ClassVar[str]

    def add_arguments(self, parser: ArgumentParser) -> None:
        chosen.add_arguments(parser, self.statuses)

    @abstractmethod
    def act(self, pk: Any, options: Namespace, terminal: Terminal) -> Execution:
        """Does it to one run; as that stands then. Raises what the API raises."""

    def check(self, options: Namespace, runs: Sequence[Chosen]) -> None:
        """Refuses options that do not go together, before anything is done."""

    def words(self, run: Execution) -> str:
        """What became of a run, as one line tells it."""
        return self.past

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """Chooses, asks, does; ends with 1 if it could not be done to one of them."""
        runs = chosen.choose(options, self.statuses, self.verb, self.usual or self.statuses)
        self.check(options, runs)
        if options.dry_run:
            return self._tell_what_would_be(terminal, runs)
        if runs and not options.ids and not options.yes:
            chosen.confirm(f"{self.verb.capitalize()} {chosen.told(runs)}?")
        return self._do(terminal, options, runs)

    def _tell_what_would_be(self, terminal: Terminal, runs: Sequence[Chosen]) -> int:
        can = [run for run in runs if run.status in self.statuses]
        cannot = [run for run in runs if run.status not in self.statuses]
        if terminal.json:
            refused = [{"id": str(run.id), "error": self._cannot(run)} for run in cannot]
            terminal.emit(self._document([_brief(run) for run in can], refused, dry_run=True))
        else:
            terminal.say(f"This would {self.verb} {chosen.told(can)}.")
            for run in can[:TOLD_MAX]:
                terminal.say(f"  {run.id} {run.workflow_name} {run.status}")
            if len(can) > TOLD_MAX:
                terminal.say(f"  and {len(can) - TOLD_MAX:,} more")
            for run in cannot:
                terminal.warn(self._cannot(run))
        return REFUSED if cannot else DONE

    def _cannot(self, run: Chosen) -> str:
        return f"cannot {self.verb} execution {run.id}: it is {run.status}"

    def _do(self, terminal: Terminal, options: Namespace, runs: Sequence[Chosen]) -> int:
        done: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        is_long = len(runs) > TOLD_MAX
        try:
            # A bar and lines would write over each other.
            with terminal.progress(len(runs), self.verb) if is_long else _no_bar() as advance:
                for run in runs:
                    self._do_one(terminal, options, run, done, refused, tells=not is_long)
                    advance(1)
        except BaseException:  # Ctrl-C, or the database has gone
            terminal.warn(f"stopped: {len(done):,} of {len(runs):,} were {self.past}")
            raise
        terminal.emit(self._document(done, refused, dry_run=False))
        if not runs:
            terminal.say("No execution matches.")
        elif is_long:
            self._tell_many(terminal, done, refused)
        return REFUSED if refused else DONE

    def _tell_many(
        self, terminal: Terminal, done: list[dict[str, Any]], refused: list[dict[str, Any]]
    ) -> None:
        noun = "execution was" if len(done) == 1 else "executions were"
        terminal.say(f"{len(done):,} {noun} {self.past}.")
        if refused and not terminal.json:
            for each in refused[:TOLD_MAX]:
                terminal.warn(each["error"])
            terminal.warn(f"{len(refused):,} were left as they were")

    def _do_one(
        self,
        terminal: Terminal,
        options: Namespace,
        run: Chosen,
        done: list[dict[str, Any]],
        refused: list[dict[str, Any]],
        *,
        tells: bool,
    ) -> None:
        try:
            after = self.act(run.id, options, terminal)
        except (DurableError, ValueError) as error:
            refused.append({"id": str(run.id), "error": str(error)})
            if tells and not terminal.json:
                terminal.warn(str(error))
            return
        done.append(_brief(run._replace(status=after.status)))
        if tells:
            terminal.say(f"{run.id} {run.workflow_name}: {self.words(after)}")

    def _document(
        self, done: list[dict[str, Any]], refused: list[dict[str, Any]], *, dry_run: bool
    ) -> dict[str, Any]:
        return {"dry_run": dry_run, "executions": done, "refused": refused}


@contextmanager
def _no_bar() -> Iterator[Callable[[int], None]]:
    yield lambda number: None


def _brief(run: Chosen) -> dict[str, Any]:
    return {
        "id": str(run.id),
        "workflow": run.workflow_name,
        "version": run.version,
        "status": run.status,
    }
