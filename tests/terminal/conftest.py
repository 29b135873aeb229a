"""The fixture `terminal`: a command of the terminal, run here, and what it said."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .saying import Said, said_by


@pytest.fixture
def terminal(db: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """``terminal("list", "--json", width=80)`` → what it said; ``is_terminal``: with colours."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def run(*words: object, width: int | None = None, is_terminal: bool = False) -> Said:
        if width is not None:
            monkeypatch.setenv("COLUMNS", str(width))
        return said_by(*map(str, words), is_terminal=is_terminal)

    return run
