"""``durable graph``: the graph of a workflow, or of a run with where it stands in it.

As Mermaid for documents that draw it themselves, or as an SVG that stands alone. It reads only.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.text import Text

from ..conf import settings
from ..definition import registry
from ..definition.spelling import did_you_mean
from ..exceptions import WorkflowNotFound
from ..graph import graph_of, mermaid, read_states, svg_text
from ..models import Execution, WorkflowDefinition
from ..showing.visible import visible
from .command import DONE, NOT_FOUND, REFUSED, WRONG_USAGE, Command, Refused, at_least
from .ids import find_execution, range_of
from .screen import Terminal

SUFFIXES: Final = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid", ".md": "mermaid"}


class Drawn(NamedTuple):
    """What is drawn: a version of a workflow, and the run in it, if it is one's graph."""

    name: str
    version: int
    structure: Any
    run: Execution | None = None


class GraphCommand(Command):
    """Drawn from the code, or from what is stored of it where the code is gone."""

    name = "graph"
    help = "draw the graph of a workflow, or of a run with where it stands"
    epilog = """\
manage.py durable graph process_order
manage.py durable graph process_order --version 1 -o order.svg
manage.py durable graph 01980f --format svg > run.svg
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "what", metavar="NAME|ID", help="a workflow, or the id of a run, or a unique prefix"
        )
        parser.add_argument(
            "--format",
            choices=("mermaid", "svg"),
            help="default: mermaid, or what the name of the file says",
        )
        parser.add_argument(
            "--version", type=at_least(1), metavar="N", help="of the workflow (default: the newest)"
        )
        parser.add_argument("-o", "--output", metavar="FILE", help="write it there")

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """To stdout as it is, or into a file."""
        drawn = _found(options.what, options.version)
        kind = options.format or _kind_of(options.output)
        text = _drawing(drawn, kind)
        if options.output is not None:
            _write(options.output, text)
        terminal.emit(
            {
                "workflow": drawn.name,
                "version": drawn.version,
                "execution": None if drawn.run is None else drawn.run.pk,
                "format": kind,
                "output": options.output,
                "graph": None if options.output is not None else text,
            }
        )
        if options.output is not None:
            terminal.say(f"Wrote the graph of {drawn.name} v{drawn.version} to {options.output}")
        elif not terminal.json:
            # Not as prose, which is wrapped at the edge of a terminal: a line is a line.
            terminal.out.print(Text(visible(text)), soft_wrap=True)
        return DONE


def _found(what: str, version: int | None) -> Drawn:
    """A workflow of this name, else a run with this id. What is both is the workflow."""
    drawn = _workflow(what, version)
    if drawn is not None:
        return drawn
    if not _may_be_id(what):
        raise Refused(_unknown(what, version), NOT_FOUND)
    run = find_execution(what)
    if version is not None:
        raise Refused("--version is for workflows: a run has its own", WRONG_USAGE)
    found = _workflow(run.workflow_name, run.version)
    return Drawn(run.workflow_name, run.version, found.structure if found else {}, run)


def _workflow(name: str, version: int | None) -> Drawn | None:
    try:
        definition = registry.get(name, version).definition
        return Drawn(definition.name, definition.version, definition.structure())
    except WorkflowNotFound:
        pass
    rows = WorkflowDefinition.objects.using(settings.DATABASE).filter(name=name)
    if version is not None:
        rows = rows.filter(version=version)
    row = rows.order_by("-version").first()
    return None if row is None else Drawn(row.name, row.version, row.structure)


def _may_be_id(text: str) -> bool:
    try:
        range_of(text)
    except Refused:
        return False
    return True


def _unknown(name: str, version: int | None) -> str:
    rows = WorkflowDefinition.objects.using(settings.DATABASE)
    stored = set(rows.values_list("name", flat=True))
    known = stored | {cls.definition.name for cls in registry.all()}
    if name in known:
        return f"{name} has no version {version}"
    return f'no workflow is called "{name}"{did_you_mean(name, known)}, and no run has this id'


def _kind_of(output: str | None) -> str:
    return "mermaid" if output is None else SUFFIXES.get(Path(output).suffix.lower(), "mermaid")


def _drawing(drawn: Drawn, kind: str) -> str:
    states = None if drawn.run is None else read_states(drawn.run, drawn.structure)
    if kind == "mermaid":
        return mermaid(drawn.structure, states)
    return svg_text(graph_of(drawn.structure, states))


def _write(name: str, text: str) -> None:
    try:
        Path(name).write_text(text + "\n", encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Refused(f"{name} cannot be written: {why}", REFUSED) from None
