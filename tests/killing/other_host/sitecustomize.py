"""A machine of its own, named by OTHER_HOST: an interpreter that has this folder in its PYTHONPATH
has that name, and its process ids mean nothing to others."""

import os
import platform
import socket
from typing import Any

_NAME = os.environ["OTHER_HOST"]
_read_link = os.readlink


def _read_other_link(path: Any, **options: Any) -> Any:
    # Whoever else has this space of process ids may conclude that a process is gone.
    return f"pid:[{_NAME}]" if path == "/proc/self/ns/pid" else _read_link(path, **options)


platform.node = socket.gethostname = lambda: _NAME
os.readlink = _read_other_link
