"""The names that a stored value may stand under: if one of them is sensitive, so is the value.

It reads no rows but those it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..engine.paths import chain_names, fork_of, node_name
from ..models import Execution, Wait, WaitKind, WaitStatus
from .learning import learn
from .masking import Mask


def keys_of_member(row: Execution) -> tuple[str, ...]:
    """The names that what a strand gave may stand under."""
    return (node_name(row.path), *chain_names(row.path))


def keys_of_item(row: Execution, sources: Mapping[str, str]) -> tuple[str, ...]:
    """The names that a strand's item may stand under."""
    fork = node_name(fork_of(row.path))
    return (*keys_of_member(row), sources.get(fork, ""))


def learn_waits(mask: Mask, waits: Iterable[Wait]) -> None:
    """Lets ``mask`` gather the secrets of what was waited for."""
    for wait in waits:
        for text in filter(None, (wait.value_text, wait.timeout_text)):
            learn(mask, text, keys_of_wait(wait))


def keys_of_wait(wait: Wait) -> tuple[str, ...]:
    """The names that what a wait gave may stand under: its own, its node's, those of its events and
    of the blocks around."""
    names = wait.names if wait.kind in (WaitKind.ANY, WaitKind.ALL) else ()
    return (wait.name, wait.node, node_name(wait.path), *chain_names(wait.path), *names)


def gave(wait: Wait) -> str:
    """The stored text of what a wait that is over gave; a sleep and a start give nothing."""
    if wait.kind in (WaitKind.SLEEP, WaitKind.START):
        return ""
    if wait.status == WaitStatus.TIMED_OUT:
        return wait.timeout_text
    given = wait.status in (WaitStatus.ANSWERED, WaitStatus.COMPLETED)
    return wait.value_text if given else ""
