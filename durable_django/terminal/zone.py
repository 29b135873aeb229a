"""The time zone of the terminal: that of whoever reads it, not that of the project.

Django puts its own ``TIME_ZONE`` into the environment of the process, so that what was there must
be looked for elsewhere.
"""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from django.utils import timezone

# Linux keeps here what a process was started with, whatever becomes of its environment.
_STARTED_WITH: Final = Path("/proc/self/environ")
_LOCALTIME: Final = Path("/etc/localtime")


def terminal_zone() -> tzinfo:
    """``TZ`` as the terminal had it, else the machine's zone, else the project's."""
    return _of_name(_tz_at_start()) or _of_machine() or timezone.get_default_timezone()


def _tz_at_start() -> str:
    try:
        pairs = _STARTED_WITH.read_bytes().split(b"\0")
    except OSError:
        return ""
    found = (pair[3:] for pair in pairs if pair.startswith(b"TZ="))
    return next(found, b"").decode(errors="replace").removeprefix(":")


def _of_name(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, OSError):  # no such zone is a KeyError and an OSError, too
        return None
    except KeyError:
        return None


def _of_machine() -> tzinfo | None:
    try:
        _, _, name = str(_LOCALTIME.resolve(strict=True)).partition("zoneinfo/")
        found = _of_name(name)
        if found is not None:
            return found
        with _LOCALTIME.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return None
