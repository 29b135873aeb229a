"""A plug-in of pytest: the tests run with each run handed over by hints, through a real broker.

    python -m pytest -p tests.handing_over tests/scenarios tests/worker

The inline driver takes only what a message of Django-Q2's broker told it, and a worker's service is
a sweeper and a few carriers fed by that broker. DURABLE_TESTS_BROKER says which one: `orm` (the
default), the test's own database, or `redis`, a server that lives as long as the session. It may
change no test; those about something that there is not here are left out by name, with the reason
(`left_out`), and told of at the end. Every second batch of messages is delivered the other way
round, but to tests that tell a story of members that begin in their order (`in_order`).
"""

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

BROKER = os.environ.get("DURABLE_TESTS_BROKER", "orm")
if BROKER not in ("orm", "redis"):
    raise pytest.UsageError(f"DURABLE_TESTS_BROKER is orm or redis, not {BROKER!r}")

# Django-Q2 reads its settings once, when it is imported: they have to be there before Django's.
DIRECTORY = tempfile.mkdtemp(prefix="durable-redis-") if BROKER == "redis" else ""
CHOICE: dict[str, object] = (
    {"orm": None, "redis": f"unix://{DIRECTORY}/socket"} if DIRECTORY else {"orm": "default"}
)
Q_CLUSTER = {"name": "shop", "timeout": 60, "retry": 90, "poll": 0.005, "bulk": 64, **CHOICE}
os.environ["DURABLE_TESTS_Q_CLUSTER"] = json.dumps({**Q_CLUSTER, "ALT_CLUSTERS": {}})

# The directories of tests whose runs are.
HANDED_OVER = ("scenarios", "worker")
LEFT_OUT = pytest.StashKey[list[pytest.Item]]()
WHAT_NOW = """If it passes without `-p tests.handing_over`, hints have to do with it. Does it say
which of several members begins first? Then it belongs into tests/handing_over/in_order.py."""


@pytest.fixture(scope="session", autouse=True)
def _broker_of_the_session() -> Iterator[None]:
    if BROKER != "redis":
        yield
        return
    from tests.scenarios.clusters import Redis

    server = Redis(DIRECTORY)
    try:
        yield
    finally:
        server.end()


@pytest.fixture(autouse=True)
def _handed_over(
    monkeypatch: pytest.MonkeyPatch, settings: Any, request: pytest.FixtureRequest
) -> Iterator[None]:
    """What becomes ready in this test is announced, and taken by hints only; other tests than those
    of workers and scenarios are left alone."""
    directory = request.path.parent.name
    if directory not in HANDED_OVER:
        yield
        return
    from durable_django.executors.django_q import DjangoQ
    from durable_django.store import wakeup
    from durable_django.worker import inline
    from tests.gathering import gathered
    from tests.handing_over.engine import Engine, emptied
    from tests.handing_over.in_order import IN_ORDER
    from tests.handing_over.left_out import name_of
    from tests.handing_over.taking import Taking

    emptied()
    settings.DURABLE = {**settings.DURABLE, "EXECUTOR": "django_q"}
    engine = DjangoQ() if directory == "worker" else Engine()
    taking = Taking(engine, turns=name_of(request.node) not in IN_ORDER)
    monkeypatch.setattr(wakeup, "announce", taking.dispatches.announce)
    monkeypatch.setattr(inline, "claim", taking.claim)
    if directory == "worker":
        from django_q.conf import Conf

        from tests.handing_over.serving import Serving

        monkeypatch.setattr(Conf, "BULK", 1)
        service = partial(Serving, settings)
        monkeypatch.setattr("tests.worker.conftest.WorkerService", service)
    else:
        from tests.handing_over.fleet import HandedOver

        monkeypatch.setattr("tests.scenarios.conftest.Fleet", HandedOver)
    # It never stops anybody, and would not be seen.
    with gathered("durable_django.executors", logging.ERROR) as found:
        yield
    assert not found, "\n".join(record.getMessage() for record in found)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed and item.path.parent.name in HANDED_OVER:
        report.sections.append(("runs were handed over by hints", WHAT_NOW))
    return report


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    from tests.handing_over.in_order import IN_ORDER
    from tests.handing_over.left_out import REASONS, sorted_out, without_a_test

    if gone := without_a_test([*IN_ORDER, *REASONS]):
        raise pytest.UsageError(f"tests/handing_over names what there is not: {gone}")
    items[:], left_out = sorted_out(items)
    config.hook.pytest_deselected(items=left_out)
    config.stash[LEFT_OUT] = left_out


def pytest_unconfigure() -> None:
    if DIRECTORY:
        shutil.rmtree(DIRECTORY, ignore_errors=True)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    from tests.handing_over.left_out import told

    terminalreporter.section(f"left out, for they are handed over by hints ({BROKER})")
    for line in told(config.stash.get(LEFT_OUT, [])):
        terminalreporter.line(line)
