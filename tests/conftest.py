"""What every test may use: Hypothesis without deadlines, and the environment of a child process.

Fixtures that belong to one part of the package stand in that part's own conftest.py.
"""

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings

# A shared machine makes deadlines a matter of luck; which examples are tried should not be one.
settings.register_profile(
    "durable", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("durable")

# The fixture `durable`: the test kit, as a project that uses us gets it.
pytest_plugins = ["durable_django.testing"]


@pytest.fixture(scope="session", autouse=True)
def _tables_are_emptied_row_by_row() -> Iterator[None]:
    """After a test on real transactions. TRUNCATE, which makes new files for every table, takes
    0.3 s on PostgreSQL; deleting the few rows of a test takes 5 ms."""
    with pytest.MonkeyPatch.context() as patch:
        if connection.vendor == "postgresql":
            patch.setattr(type(connection.ops), "sql_flush", _delete_rows)
        yield


def _delete_rows(operations: Any, style: Any, tables: list[str], **options: Any) -> list[str]:
    return [f"DELETE FROM {operations.quote_name(table)}" for table in tables]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The project has set a provider of traces; what was told is in `spans.all`."""
    from opentelemetry import trace

    from tests.tracing import Spans

    made = Spans()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", made.provider)
    return made


@pytest.fixture
def child_environment(transactional_db: None) -> dict[str, str]:
    """Environment in which a `manage.py` process works on this test's database.

    Example: `subprocess.Popen([sys.executable, "manage.py", "durable_worker"], env=…)`.
    """
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": _url(connection.get_connection_params()),
        "PYTHONUNBUFFERED": "1",
    }


def _url(params: dict[str, object]) -> str:
    if connection.vendor == "sqlite":
        return f"sqlite:///{quote(str(params['database']))}"
    user, password = (quote(str(params.get(key) or ""), safe="") for key in ("user", "password"))
    where = {key: str(params[key]) for key in ("host", "port") if params.get(key)}
    return f"postgresql://{user}:{password}@/{params['dbname']}?{urlencode(where)}"
