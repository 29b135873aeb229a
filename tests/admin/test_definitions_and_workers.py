"""The pages of workflow definitions and of workers."""

import re
from datetime import timedelta

import pytest

from durable_django import Retry, Workflow, branch, decision, foreach, loop, minutes, step
from durable_django.admin.executions import ExecutionAdmin
from tests.admin.conftest import DEFINITIONS, LIST, WORKERS, page_of
from tests.admin.rows import make_definition, make_fork, make_run, make_worker, now


def test_a_definition_shows_its_nodes_in_order_with_their_options(viewer, isolated):
    class Order(Workflow):
        @step
        def validate(self):
            """Look before leaping."""

        @step(retry=Retry(max_attempts=3), timeout=minutes(5), at_most_once=True)
        def charge(self):
            pass

        @step(atomic=True)
        def ship(self):
            pass

    row = make_definition(Order.definition.structure(), doc="From order to parcel.\n\nMore.")
    page = viewer.get(f"{DEFINITIONS}{row.pk}/change/").content.decode()
    places = [page.index(f"<code>{name}</code>") for name in ("validate", "charge", "ship")]
    assert places == sorted(places)
    for said in ("Look before leaping.", "up to 3 attempts (exponential)", "timeout 5 min 0 s"):
        assert said in page
    for said in ("at most once", "atomic", "From order to parcel."):
        assert said in page


def test_nodes_in_blocks_stand_inside_them_and_are_counted(viewer):
    inner = {"name": "both", "kind": "parallel", "children": [{"name": "a", "kind": "step"}]}
    row = make_definition(
        {"nodes": [{"name": "first", "kind": "step"}, inner]}, doc="Short.\nLong."
    )
    page = viewer.get(f"{DEFINITIONS}{row.pk}/change/").content.decode()
    assert page.index("<code>both</code>") < page.index("<code>a</code>")
    assert page.count('<ol class="durable-nodes">') == 2
    listed = viewer.get(DEFINITIONS).content.decode()
    assert '<td class="field-node_count">3</td>' in listed
    assert "Short." in listed
    assert "Long." not in listed


def test_blocks_and_decisions_say_what_they_ask_and_where_they_lead(viewer, isolated):
    class Claim(Workflow):
        @step
        def look(self):
            pass

        with branch(on=look) as route:
            with route.case("small", 1):

                @step
                def pay(self):
                    pass

            with route.default():  # noqa: SIM117  as a workflow is written
                with loop(until="answered", max_iterations=9) as asking:

                    @step
                    def ask(self):
                        pass

        with loop(while_=lambda self: False) as filing:

            @step
            def file(self):
                pass

        @decision(to=["look"], max_visits=5)
        def again(self):
            pass

    row = make_definition(Claim.definition.structure())
    page = re.sub(r"<[^>]+>", "", viewer.get(f"{DEFINITIONS}{row.pk}/change/").content.decode())
    lines = [" ".join(line.split()) for line in page.splitlines()]
    plan = [line for line in lines if line.endswith(("step", "case")) or " " in line]
    assert plan[plan.index("look step") :][:9] == [
        "look step",
        "route branch on look",
        "small | 1 case",
        "pay step",
        "default case",
        "asking loop until context key &quot;answered&quot; up to 9 iterations",
        "ask step",
        "filing loop while callable up to 1000 iterations",
        "file step",
    ]
    assert "again decision to look up to 5 visits" in plan
    assert '<td class="field-node_count">8</td>' in viewer.get(DEFINITIONS).content.decode()


def test_a_definition_leads_to_its_executions(viewer):
    make_definition(name="a & b", version=2)
    run = make_run(workflow_name="a & b", version=2)
    make_run(workflow_name="a & b", version=1)
    address = f"{LIST}?workflow=a+%26+b&version=2"
    assert address.replace("&", "&amp;") in viewer.get(DEFINITIONS).content.decode()
    assert [row.pk for row in viewer.get(address).context["cl"].result_list] == [run.pk]


def test_a_definition_without_nodes_has_a_page(viewer):
    row = make_definition({})
    assert viewer.get(f"{DEFINITIONS}{row.pk}/change/").status_code == 200


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "alive"),
        ({"heartbeat_at": now() - timedelta(minutes=2)}, "overdue"),
        ({"status": "stopped", "heartbeat_at": now() - timedelta(minutes=2)}, "stopped"),
        ({"status": "dead"}, "dead"),
    ],
)
def test_a_worker_says_whether_it_still_works(viewer, fields, said):
    worker = make_worker(hostname="oak", queues=["high", "default"], **fields)
    for address in (WORKERS, f"{WORKERS}{worker.pk}/change/"):
        page = viewer.get(address).content.decode()
        assert f"</svg>{said}</span>" in page
        for shown in ("oak", "high", "default", "0.1.0"):
            assert shown in page


def test_a_worker_shows_what_it_runs_now(viewer, staff):
    worker = make_worker()
    run, elsewhere = make_run("running", worker=worker), make_run("running")
    address = f"{WORKERS}{worker.pk}/change/"
    page = viewer.get(address).content.decode()
    assert page_of(run) in page
    assert page_of(elsewhere) not in page
    assert page_of(run) not in staff("view_worker").get(address).content.decode()


def test_a_worker_shows_only_runs_that_one_may_see(viewer, monkeypatch):
    worker = make_worker()
    hidden = make_run("running", worker=worker, queue="secret")
    shown = make_run("running", worker=worker)
    everything = ExecutionAdmin.get_queryset

    def limited(self, request):
        return everything(self, request).exclude(queue="secret")

    monkeypatch.setattr(ExecutionAdmin, "get_queryset", limited)
    page = viewer.get(f"{WORKERS}{worker.pk}/change/").content.decode()
    assert page_of(shown) in page
    assert page_of(hidden) not in page
    assert viewer.get(page_of(hidden)).status_code == 302


def test_a_worker_shows_the_members_it_runs_of_runs_that_one_may_see(viewer, monkeypatch):
    worker = make_worker()
    strands = []
    for queue in ("default", "secret"):
        run = make_run("waiting", queue=queue)
        outer = make_fork(run, ["waiting"])[0]
        fields = {"path": f"{outer.path}/in", "worker": worker}
        strands.append(make_fork(outer, ["running"], **fields)[0])
    address = f"{WORKERS}{worker.pk}/change/"
    page = viewer.get(address).content.decode()
    assert all(page_of(strand) in page for strand in strands)
    assert "sending[0]/in[0]" in page
    everything = ExecutionAdmin.get_queryset
    monkeypatch.setattr(
        ExecutionAdmin, "get_queryset", lambda self, r: everything(self, r).exclude(queue="secret")
    )
    page = viewer.get(address).content.decode()
    assert [page_of(strand) in page for strand in strands] == [True, False]


def test_a_worker_shows_the_rollback_it_runs(viewer):
    worker = make_worker()
    run = make_run("compensating", worker=worker, lease=1)
    assert page_of(run) in viewer.get(f"{WORKERS}{worker.pk}/change/").content.decode()


def test_forks_say_how_many_run_at_once_and_what_is_borne(viewer, isolated):
    class Sending(Workflow):
        class Meta:
            name = "tests.sending"

        @step
        def recipients(self):
            return []

        with foreach(recipients, concurrency=7, on_error="collect", tolerate=0.25) as sending:

            @step
            def send(self):
                pass

        @recipients.compensate
        def forget(self):
            pass

    row = make_definition(Sending.definition.structure(), name="tests.sending")
    page = viewer.get(f"{DEFINITIONS}{row.pk}/change/").content.decode()
    for said in ("items recipients", "concurrency 7", "on_error collect", "tolerate 0.25"):
        assert f">{said}<" in page
    assert ">undone by forget<" in page
