"""`durable list`: runs in a terminal."""

import pytest

from durable_django import days
from durable_django.models import Execution, Queue
from durable_django.store import clock

from .workflows import HOSTILE, make_claim, make_order


@pytest.fixture
def Order(durable):
    return make_order()


def ids(said):
    return [run["id"] for run in said.json["runs"]]


def test_the_newest_run_stands_first(terminal, Order, durable):
    first, second = Order.start(), durable.run(Order)
    said = terminal("list")
    assert said.code == 0
    assert [line.split()[0] for line in said.lines] == ["ID", str(second.pk), str(first.pk)]
    assert "✓ completed" in said.lines[1]


def test_an_empty_database_is_told(terminal):
    assert terminal("list").out == "No runs.\n"
    assert terminal("list", "--json").json == {"runs": [], "more": False}


def test_runs_are_narrowed_down(terminal, Order, durable):
    later = clock.now() + days(1)
    Queue.objects.create(name="other", created_at=later)
    waiting = Order.start(tags={"customer": 42}, scheduled_at=later)
    completed = durable.run(Order, tags=["vip"])
    claim = make_claim().start()
    for words, found in [
        (["--workflow", "claim"], [claim]),
        (["--workflow", "claim", "--status", "completed"], []),
        (["--status", "completed"], [completed]),
        (["--status", "active"], [claim, waiting]),
        (["--status", "completed,pending"], [claim, completed]),
        (["--status", "completed", "--status", "scheduled"], [completed, waiting]),
        (["--status", "attention"], []),
        (["--tag", "vip"], [completed]),
        (["--tag", "customer=42"], [waiting]),
        (["--queue", "default", "--workflow", "order"], [completed, waiting]),
        (["--queue", "other", "--workflow", "claim"], []),
        (["--before", str(completed.pk)], [waiting]),
        (["--limit", "1"], [claim]),
    ]:
        assert ids(terminal("list", "--json", *words)) == [str(run.pk) for run in found], words


def test_a_status_that_does_not_exist_is_wrong_usage(terminal):
    said = terminal("list", "--status", "done")
    assert said.code == 2
    assert "'done' is none of scheduled, pending" in said.err


def test_whoever_reads_a_page_learns_how_to_get_the_next(terminal, Order):
    runs = [Order.start() for _ in range(5)]
    said = terminal("list", "--limit", "2")
    assert f"--before {runs[3].pk}" in said.lines[-1]
    assert terminal("list", "--limit", "2", "--json").json["more"] is True
    rest = terminal("list", "--before", runs[3].pk, "--json")
    assert ids(rest) == [str(run.pk) for run in reversed(runs[:3])]
    assert rest.json["more"] is False


def test_a_run_has_the_shape_of_an_export(terminal, Order, durable):
    run = durable.run(Order, {"card": "4111-1111", "who": "ada"})
    (told,) = terminal("list", "--json").json["runs"]
    assert told["input"] == {"card": "••••••", "who": "ada"}
    assert told["result"] == "ch_1"
    assert (told["workflow"], told["status"], told["id"]) == ("order", "completed", str(run.pk))
    assert told["created_at"].endswith("+00:00")
    (revealed,) = terminal("list", "--json", "--reveal").json["runs"]
    assert revealed["input"]["card"] == "4111-1111"


def test_a_table_reads_no_payloads(terminal, Order, durable, django_assert_max_num_queries):
    for _ in range(5):
        durable.run(Order)
    with django_assert_max_num_queries(3) as asked:
        terminal("list")
    runs = [query["sql"] for query in asked.captured_queries if "durable_execution" in query["sql"]]
    assert not [sql for sql in runs if "input_text" in sql or "snapshot" in sql]


def test_the_values_of_tags_are_masked_where_something_is(terminal, Order):
    Order.start({"card": "4111-1111"}, tags={"card": "4111-1111"})
    assert "4111" not in terminal("list").out
    assert "4111" in terminal("list", "--reveal").out


def test_a_hostile_name_reaches_no_terminal(terminal, Order):
    run = Order.start(tags=[HOSTILE])
    Execution.objects.filter(pk=run.pk).update(workflow_name=HOSTILE, queue=HOSTILE)
    said = terminal("list", is_terminal=True, width=300)
    assert "\x1b[31m" not in said.out
    assert "\x07" not in said.out
    assert "\u202e" not in said.out
    assert "\\u001b[31mred" in said.out


def test_a_run_that_has_not_begun_took_nothing(terminal, Order, durable):
    Order.start(scheduled_at=clock.now() + days(1))
    line = terminal("list").lines[1]
    assert "scheduled" in line
    assert " ms" not in line
