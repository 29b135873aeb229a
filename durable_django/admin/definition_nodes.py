"""The nodes of a stored structure as a list: what a graph shows, for those who rather read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext, ngettext

from ..showing import spoken


@dataclass
class NodeView:
    """A node of a stored structure, ready to be shown."""

    name: str
    kind: str
    doc: str
    notes: list[str]
    children: list[NodeView] = field(default_factory=list)


def node_views(structure: Any) -> list[NodeView]:
    """The nodes of a structure, or of a block in it, in order. What an older version of this
    package wrote may lack any of the keys."""
    below = structure.get("nodes") or structure.get("children") or []
    return [
        NodeView(
            name=node.get("name") or node.get("label") or "",
            kind=node.get("kind") or "",
            doc=node.get("doc") or "",
            notes=list(_notes(node)),
            children=node_views(node),
        )
        for node in below
    ]


def count_nodes(nodes: list[NodeView]) -> int:
    """All nodes, those in blocks too; a case of a branch is none."""
    return sum((node.kind != "case") + count_nodes(node.children) for node in nodes)


def _notes(node: dict[str, Any]) -> Iterator[str]:
    yield from _ways(node)
    if node.get("async"):
        yield gettext("async")
    if node.get("atomic"):
        yield gettext("atomic")
    if node.get("at_most_once"):
        yield gettext("at most once")
    if node.get("timeout"):
        yield gettext("timeout %(time)s") % {"time": spoken.length(node["timeout"])}
    attempts = (node.get("retry") or {}).get("max_attempts", 1)
    if attempts > 1:
        said = ngettext("up to %(n)d attempt", "up to %(n)d attempts", attempts) % {"n": attempts}
        yield f"{said} ({node['retry'].get('backoff', '')})"
    if undone_by := (node.get("compensation") or {}).get("name"):
        yield gettext("undone by %(name)s") % {"name": undone_by}


def _ways(node: dict[str, Any]) -> Iterator[str]:
    """What decides where a run goes on: words of the class body, so they are not translated."""
    for option in ("on", "until", "while", "items", "concurrency", "on_error", "tolerate"):
        if node.get(option):
            yield f"{option} {node[option]}"
    if node.get("to"):
        yield f"to {', '.join(node['to'])}"
    if most := node.get("max_iterations"):
        yield ngettext("up to %(n)d iteration", "up to %(n)d iterations", most) % {"n": most}
    if most := node.get("max_visits"):
        yield ngettext("up to %(n)d visit", "up to %(n)d visits", most) % {"n": most}
