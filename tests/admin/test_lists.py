"""The list of executions: what it shows, in what order, and what it costs."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django import Workflow, step
from durable_django.models import Execution, ExecutionStatus
from durable_django.models.ids import uuid7
from tests.admin.conftest import LIST, page_of
from tests.admin.rows import make_definition, make_run, make_worker, now

PAYLOADS = ("input_text", "snapshot", "result_text", "error_text")


def listed(client, address=LIST):
    """The ids in the list, in its order."""
    response = client.get(address)
    assert response.status_code == 200, response
    return [row.pk for row in response.context["cl"].result_list]


def test_the_newest_run_comes_first_whatever_the_address_asks_for(viewer):
    runs = [make_run() for _ in range(3)]
    expected = [run.pk for run in reversed(runs)]
    assert listed(viewer) == expected
    assert listed(viewer, f"{LIST}?o=4") == expected


@pytest.mark.parametrize("status", ExecutionStatus.values)
def test_each_status_has_a_text_and_a_shape(viewer, status):
    make_run(status)
    page = viewer.get(LIST).content.decode()
    label = ExecutionStatus(status).label
    assert re.search(rf'<svg [^>]*aria-hidden="true"[^>]*><path d="M[^"]+"/></svg>{label}<', page)


def test_a_run_shows_its_workflow_queue_tags_age_and_duration(viewer):
    run = make_run(
        "completed",
        version=3,
        queue="evening",
        tags={"customer": 42},
        created_at=now() - timedelta(minutes=3, seconds=1),
    )
    page = viewer.get(LIST).content.decode()
    for said in ("tests.order", "v3", "evening", "customer=42", "3 min 1 s ago", "1.5 s"):
        assert said in page
    assert f'href="{page_of(run)}' in page
    assert re.search(r'title="\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC"', page)


def test_strands_are_neither_listed_nor_found_nor_counted(viewer):
    run = make_run()
    strand = make_run(kind="strand", parent=run, path="both[0]", depth=1)
    assert listed(viewer) == [run.pk]
    assert listed(viewer, f"{LIST}?q={strand.pk}") == []
    assert viewer.get(LIST).context["cl"].result_count == 1


def test_the_number_of_queries_does_not_depend_on_the_number_of_runs(viewer):
    def queries():
        with CaptureQueriesContext(connection) as found:
            viewer.get(LIST)
        return found.captured_queries

    make_definition()
    make_run(tags={"a": 1})
    few = queries()
    for number in range(30):
        make_run("running" if number % 2 else "failed", tags={"a": number})
    many = queries()
    assert len(many) == len(few) <= 12


def test_the_list_does_not_read_payloads(viewer):
    make_run("completed")
    with CaptureQueriesContext(connection) as found:
        viewer.get(LIST)
    read = [query["sql"] for query in found if "durable_django_execution" in query["sql"]]
    assert read
    assert [sql for sql in read for column in PAYLOADS if f'"{column}"' in sql] == []


def test_no_run_is_counted(viewer):
    for _ in range(5):
        make_run()
    with CaptureQueriesContext(connection) as found:
        viewer.get(LIST)
    assert [query["sql"] for query in found if "COUNT(" in query["sql"]] == []


def test_an_empty_list_says_so(viewer):
    assert "There are no executions yet" in viewer.get(LIST).content.decode()
    make_run("failed")
    page = viewer.get(f"{LIST}?status=completed").content.decode()
    assert "No execution matches" in page


# Filters


def test_runs_are_filtered_by_status(viewer):
    failed, pending, sleeping = make_run("failed"), make_run(), make_run("sleeping")
    assert listed(viewer, f"{LIST}?status=failed") == [failed.pk]
    assert listed(viewer, f"{LIST}?status=active") == [sleeping.pk, pending.pk]


def test_runs_are_filtered_by_workflow_version_and_queue(viewer, isolated):
    class Elsewhere(Workflow):
        class Meta:
            queue = "night"

        @step
        def only(self):
            pass

    first = make_run(queue="night")
    second = make_run(workflow_name="tests.refund", version=2)
    make_run(workflow_name="tests.refund", version=1)
    make_worker(queues=["day"])
    page = viewer.get(LIST).content.decode()
    assert "queue=night" in page
    assert "queue=day" in page
    assert listed(viewer, f"{LIST}?queue=night") == [first.pk]
    assert listed(viewer, f"{LIST}?workflow=tests.refund&version=2") == [second.pk]


def test_runs_are_filtered_by_when_they_were_created(viewer):
    old = created_ago(timedelta(days=3))
    new = created_ago(timedelta(minutes=5))
    assert listed(viewer, f"{LIST}?created=hour") == [new.pk]
    assert listed(viewer, f"{LIST}?created=week") == [new.pk, old.pk]
    day = f"{old.created_at:%Y-%m-%d}"
    assert listed(viewer, f"{LIST}?created_from={day}&created_to={day}") == [old.pk]
    assert listed(viewer, f"{LIST}?created_to={day}") == [old.pk]


def created_ago(age):
    """A run whose id is as old as the run."""
    run = make_run(created_at=now() - age)
    older = (uuid7().int - (int(age.total_seconds() * 1000) << 80)).to_bytes(16)
    pk = type(run.pk)(bytes=older)
    Execution.objects.filter(pk=run.pk).update(id=pk, root_id=pk)
    return Execution.objects.get(pk=pk)


@pytest.mark.parametrize(
    "query",
    [
        "status=nonsense",
        "version=x",
        "created=year",
        "created_from=yesterday",
        "created_to=9999-12-31",
        "queue=%00",
    ],
)
def test_a_filter_that_makes_no_sense_leads_back_to_the_list(viewer, query):
    response = viewer.get(f"{LIST}?{query}")
    assert (response.status_code, response["Location"]) == (302, f"{LIST}?e=1")


@pytest.mark.parametrize("lookup", ["input_text__contains", "snapshot__startswith", "lease"])
def test_what_is_masked_cannot_be_found_out_by_filtering(viewer, lookup):
    assert viewer.get(f"{LIST}?{lookup}=4").status_code == 400


# Search


def found(client, words):
    return listed(client, f"{LIST}?q={words}")


def test_a_run_is_found_by_its_id_or_the_beginning_of_it(viewer):
    run = created_ago(timedelta(days=40))
    make_run()
    text = str(run.pk)
    for part in (text, text.upper(), text[:8], text[:20], text.replace("-", "")[:13]):
        assert found(viewer, part) == [run.pk], part
    assert found(viewer, text[:5]) == []  # too short to mean an id


def test_a_run_is_found_by_workflow_tag_and_idempotency_key(viewer):
    make_definition()
    make_definition(name="tests.refund")
    order = make_run(tags=["vip", "two words"])
    refund = make_run(workflow_name="tests.refund", idempotency_key="refund-7", tags={"n": 42})
    assert found(viewer, "REFUND") == [refund.pk]
    assert found(viewer, "tests.") == [refund.pk, order.pk]
    assert found(viewer, "refund-7") == [refund.pk]
    assert found(viewer, "vip") == [order.pk]
    assert found(viewer, '"two words"') == [order.pk]
    assert found(viewer, "two words") == []
    assert found(viewer, "n") == [refund.pk]
    assert found(viewer, "n%3D42") == [refund.pk]
    assert found(viewer, "n%3D43") == []
    assert found(viewer, "refund n%3D42") == [refund.pk]


@pytest.mark.parametrize("words", ["'", "%25", '"""', "a=NaN", "=", "a=[[", "\\", "%00", "x" * 500])
def test_no_search_breaks_the_list(viewer, words):
    make_run(tags=["a"])
    assert viewer.get(LIST, {"q": words}).status_code == 200
    assert viewer.get(f"{LIST}?q={words}").status_code == 200
