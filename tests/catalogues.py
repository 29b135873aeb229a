"""Catalogues of translations, read without GNU gettext: a .po file, and what the sources mark.

It reads what ``makemessages`` writes and asks of it what is needed here; it is no gettext of its
own and writes nothing.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from django.utils.translation.template import templatize

PACKAGE = Path(__file__).resolve().parent.parent / "durable_django"
LOCALE = PACKAGE / "locale"
LANGUAGES = sorted(path.name for path in LOCALE.iterdir() if path.is_dir())

KEYWORD = re.compile(r'^(msgctxt|msgid|msgid_plural|msgstr(?:\[\d+\])?) (".*")$')
MARKED = re.compile(r"\b(?:npgettext|ngettext|pgettext|gettext)\(|\b_\(")
# How many of the first arguments are texts, and what they are.
ARGUMENTS = {
    "gettext": ("text",),
    "ngettext": ("text", "plural"),
    "pgettext": ("context", "text"),
    "npgettext": ("context", "text", "plural"),
}


class Message(NamedTuple):
    """A text as the sources have it; ``context`` and ``plural`` are "" where there is none."""

    text: str
    plural: str = ""
    context: str = ""


class Entry(NamedTuple):
    """A message of a catalogue; ``said`` has a text, or one for each plural form."""

    message: Message
    said: tuple[str, ...]
    flags: str


def po_of(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / "django.po"


def entries(po: str) -> Iterator[Entry]:
    """Those of a .po file, its header first (the one without a text)."""
    for block in re.split(r"\n\s*\n", po.strip()):
        found: dict[str, str] = {}
        flags, last = "", ""
        for line in block.splitlines():
            if line.startswith("#"):
                flags += line.removeprefix("#,") if line.startswith("#,") else ""
            elif keyword := KEYWORD.match(line):
                last = keyword[1]
                found[last] = ast.literal_eval(keyword[2])
            else:
                found[last] += ast.literal_eval(line)
        if found:
            said = tuple(text for key, text in found.items() if key.startswith("msgstr"))
            parts = (found.get(key, "") for key in ("msgid", "msgid_plural", "msgctxt"))
            yield Entry(Message(*parts), said, flags)


def texts(po: str) -> list[Entry]:
    """All but the header."""
    return [entry for entry in entries(po) if entry.message.text]


def marked() -> dict[Message, list[str]]:
    """Every text that the package marks for translation, and the files where it does."""
    found: dict[Message, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for call in _calls(ast.parse(path.read_text(encoding="utf-8"))):
            _add(found, call, path)
    for path in sorted((PACKAGE / "templates").rglob("*.*")):
        for call in _template_calls(templatize(path.read_text(encoding="utf-8"))):
            _add(found, call, path)
    return found


def _calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id.removesuffix("_lazy").removesuffix("_noop")
            name = "gettext" if name == "_" else name
            if name in ARGUMENTS:
                yield name, node


def in_f_strings() -> list[str]:
    """Where a text is marked inside an f-string, which GNU gettext does not look into."""
    return [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for joined in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(joined, ast.JoinedStr)
        for _, node in _calls(joined)
    ]


def _template_calls(code: str) -> Iterator[tuple[str, ast.Call]]:
    """The calls in what Django makes of a template: all between them is no Python."""
    for mark in MARKED.finditer(code):
        for end in re.finditer(r"\)", code[mark.end() :]):
            try:
                tree = ast.parse(code[mark.start() : mark.end() + end.end()])
            except SyntaxError:
                continue
            yield from _calls(tree)
            break


def _add(found: dict[Message, list[str]], call: tuple[str, ast.Call], path: Path) -> None:
    name, node = call
    parts = {}
    for part, value in zip(ARGUMENTS[name], node.args, strict=False):
        assert isinstance(value, ast.Constant), f"no plain text is marked: {path}:{value.lineno}"
        parts[part] = str(value.value)
    found.setdefault(Message(**parts), []).append(str(path.relative_to(PACKAGE)))
