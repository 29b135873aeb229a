"""What every test may use: Hypothesis without deadlines, and the environment of a child process.

Fixtures that belong to one part of the package stand in that part's own conftest.py.
"""

import gc
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db import connection
from django.test import TransactionTestCase
from hypothesis import HealthCheck, settings

from tests.emptying import Emptying

# A shared machine makes deadlines a matter of luck; which examples are tried should not be one.
settings.register_profile(
    "durable", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("durable")

# The fixture `durable`: the test kit, as a project that uses us gets it.
pytest_plugins = ["durable_django.testing"]


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What is imported and collected by now stays: no need to look through it for garbage at every
    full collection, which takes a tenth of a second with eight thousand tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """After a test on real transactions only the tables that have rows are emptied."""
    with django_db_blocker.unblock():
        emptying = Emptying()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: emptying(case))
        yield


@pytest.fixture(scope="session", autouse=True)
def schedules_of_the_example() -> dict[str, Any]:
    """What the example project declares, by the names of workflows: nothing is left of it there,
    for a test that moves time over a Monday morning would start what it knows nothing of."""
    from durable_django.definition import registry

    declared = {}
    for workflow in registry.all():
        options = workflow.definition.options
        declared[workflow.definition.name] = options.schedules
        object.__setattr__(options, "schedules", ())
    return declared


@pytest.fixture(scope="session", autouse=True)
def _the_server_of_the_tests_is_not_ill() -> Iterator[None]:
    """It runs without fsync (see with_postgres.py), which the doctor would tell in every test."""
    from durable_django.doctor.database import HURTS

    hurts = tuple(each for each in HURTS if each[0] != "fsync")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("durable_django.doctor.database.HURTS", hurts)
        yield


@pytest.fixture
def no_other_workflows() -> Iterator[None]:
    """The registry is empty, for the example project has schedules, too; it, the time and what is
    left alone are as before after the test."""
    from durable_django.definition import registry
    from durable_django.store import clock, timetable

    with registry.isolate():
        registry._classes.clear()
        yield
    clock.reset()
    timetable.forget()


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
