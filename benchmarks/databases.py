"""Databases to measure on: made for one benchmark, gone after it. Knows no Django.

An existing server's databases are left alone: the benchmark makes one of its own there.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests.with_postgres import server

VAR = Path(__file__).resolve().parent / "var"
KINDS = ("sqlite", "postgresql")


@contextmanager
def fresh_database(kind: str) -> Iterator[str]:
    """The URL of an empty database of the kind."""
    if kind == "sqlite":
        with _sqlite() as url:
            yield url
        return
    given = os.environ.get("DATABASE_URL", "")
    running = nullcontext(given) if is_postgresql(given) else server()
    with running as server_url, _postgresql(server_url) as url:
        yield url


def is_postgresql(url: str) -> bool:
    """Whether a DATABASE_URL names a PostgreSQL server."""
    return url.startswith(("postgres:", "postgresql:"))


@contextmanager
def _sqlite() -> Iterator[str]:
    VAR.mkdir(exist_ok=True)
    directory = tempfile.mkdtemp(prefix="sqlite-", dir=VAR)
    try:
        yield f"sqlite:///{directory}/benchmark.sqlite3"
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _postgresql(server_url: str) -> Iterator[str]:
    import psycopg

    name = f"durable_benchmark_{os.getpid()}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        try:
            yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
