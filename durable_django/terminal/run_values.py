"""The values of a run as a command shows them: masked, for people as text and for programs as JSON.

It reads the row it is given; what is masked stays so without ``--reveal``.
"""

from __future__ import annotations

import json
from typing import Any, Final

from rich.text import Text

from ..engine import values
from ..models import Execution
from ..showing.layout import layout
from ..showing.learning import learn_run, unreadable
from ..showing.masking import Masks, dotted
from ..showing.previews import Previews
from ..showing.shapes import error_shape, run_shape
from ..showing.visible import visible

STYLES: Final = {
    "key": "cyan",
    "text": "green",
    "number": "magenta",
    "constant": "magenta",
    "masked": "dim",
    "type": "dim",
    "failure": "red",
}


class RunValues:
    """Shows values of one run; its mask has learned what is secret in it."""

    def __init__(self, run: Execution, *, reveal: bool) -> None:
        masks = Masks({(run.workflow_name, run.version)}, reveal=reveal)
        self.mask = masks.of(run.workflow_name, run.version)
        self._previews = Previews()
        learn_run(self.mask, run)

    def text(self, value: Any, *keys: str) -> Text:
        """A value for people, laid out; ``keys`` are those it stands under."""
        shown = self.mask.under_any(keys, self._previews.of(value))
        found = Text()
        for kind, part in layout(shown, 0):
            found.append(part, STYLES.get(kind, ""))
        return found

    def stored_text(self, text: str, *keys: str) -> Text:
        """A stored value for people; what cannot be read here is said to be so."""
        try:
            return self.text(values.decode(text), *keys)
        except ValueError:
            return Text(unreadable(), style="dim")

    def error(self, text: str) -> dict[str, str] | None:
        """A stored error by its parts, masked; None where there is none."""
        if not text:
            return None
        found = error_shape(text, self.mask)
        if isinstance(found, dict):
            return {part: visible(said) for part, said in found.items()}
        return {"type": str(found), "message": "", "node": "", "traceback": ""}

    def line(self, key: str, value: Any, sign: str = "", style: str = "") -> Text:
        """A value behind its key, as it stands in a context: ``email: "a@b"``. What is longer than
        a line is indented under the sign."""
        indent = "\n" + " " * len(sign)
        name = Text(f"{visible(key)}: ", style="bold")
        lines = Text(indent).join(self.text(value, key).split("\n"))
        return Text.assemble((sign, style), name, lines)

    def plain(self, value: Any, *keys: str) -> Any:
        """A value for programs: JSON's own types, others in the form they are stored in."""
        return stored(dotted(self.mask.under_any(keys, value)))


def stored(value: Any) -> Any:
    """A value in JSON's own types, as it is stored."""
    return json.loads(values.encode(value, "value"))


def whole_run(run: Execution, *, reveal: bool) -> dict[str, Any]:
    """A run for programs: the shape that ``list --json`` and an export give."""
    mask = Masks({(run.workflow_name, run.version)}, reveal=reveal).of(
        run.workflow_name, run.version
    )
    found: dict[str, Any] = stored(run_shape(run, mask))
    return found
