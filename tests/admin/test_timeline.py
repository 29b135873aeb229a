"""The tab of the graph: a lane for each node, a bar for each attempt, waits apart from them."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.admin import timeline_rows
from durable_django.admin.tabs import graph
from durable_django.admin.timeline import CROSSES_MAX, Lane, Span, timeline_of
from durable_django.models import Execution, StepRun
from tests.admin.conftest import page_of
from tests.admin.rows import make_definition, make_fork, make_run, make_step, make_worker, now
from tests.admin.test_run_page import EVIL, text_of
from tests.inputs.waits import make_wait

LANE = re.compile(
    r'<span class="durable-lane-text">(.*?)</span>|durable-lane-text" href="(.*?)">(.*?)<'
)


def lanes_of(client, run, more=""):
    page = client.get(f"{page_of(run)}{more}").content.decode()
    return [plain or linked for plain, _address, linked in LANE.findall(page)]


def timeline(page):
    return page.partition('id="durable-timeline"')[2].partition("durable-table-view")[0]


def drawn(*spans, seconds=10.0):
    start = now()
    moved = [
        Span(start + timedelta(seconds=a), start + timedelta(seconds=b), *rest)
        for a, b, *rest in spans
    ]
    end = start + timedelta(seconds=seconds)
    return timeline_of([Lane("charge", "step", moved)], start, end, end).lanes[0].bars


def test_a_node_has_one_lane_and_each_attempt_a_bar(viewer):
    run = make_run("completed")
    at = run.started_at
    for seq, (name, status) in enumerate(
        [("validate", "completed"), ("charge", "failed"), ("charge", "completed")], 1
    ):
        begun = at + timedelta(seconds=seq * 2)
        make_step(
            run,
            name,
            status,
            seq=seq,
            attempt=max(seq - 1, 1),
            started_at=begun,
            finished_at=begun + timedelta(seconds=1),
        )
    assert lanes_of(viewer, run) == ["validate", "charge"]
    page = timeline(viewer.get(page_of(run)).content.decode())
    assert page.count('class="durable-span durable-span-good"') == 3  # one of them in the legend
    assert page.count('class="durable-span durable-span-bad"') == 1
    assert page.count('class="durable-cross"') == 1
    assert "attempt 2: completed, 1.0 s, from " in page
    assert 'href="?tab=steps&amp;node=charge"' in page


def test_bars_lie_where_their_time_is():
    first, second = drawn((0, 2, "completed"), (5, 10, "failed"))
    assert (first.x, first.width, first.cross) == ("0", "20", "")
    assert (second.x, second.width, second.cross) == ("50", "50", "100")


def test_what_is_too_short_to_be_seen_is_drawn_all_the_same():
    (bar,) = drawn((9.9999, 10, "completed"))
    assert float(bar.width) > 0.3
    assert float(bar.x) + float(bar.width) <= 100


def test_thousands_of_short_attempts_are_drawn_as_few_bars():
    spans = [(n / 1000, n / 1000 + 0.0005, "completed") for n in range(10_000)]
    bars = drawn(*spans)
    assert len(bars) < 170
    assert re.match(r"\d+ attempts: completed", bars[0].title)


def test_failures_in_a_crowd_are_not_hidden_by_successes():
    whole = (0, 10, "completed")
    bars = drawn(
        whole, (1, 1.001, "completed"), (1.002, 1.003, "failed"), (1.004, 1.005, "completed")
    )
    # What is drawn last lies above.
    assert [bar.tone for bar in bars] == ["good", "good", "bad"]
    assert bars[1].title.startswith("2 attempts: completed")


def test_only_so_many_failures_are_crossed():
    bars = drawn(*((n / 10, n / 10 + 0.09, "failed", n) for n in range(100)), seconds=10)
    assert sum(bool(bar.cross) for bar in bars) <= CROSSES_MAX


def test_waits_are_hatched_and_lie_below_what_ran():
    bars = drawn((0, 5, "completed"), (1, 4, "waiting", 1, True))
    assert [bar.is_wait for bar in bars] == [True, False]


def test_a_declared_wait_and_one_inside_a_step_are_hatched(viewer):
    run = make_run("waiting")
    make_step(run, "pause", kind="sleep", seq=1)
    make_step(run, "ask", seq=2)
    make_wait(run, kind="event", node="ask", path="ask", position=1)
    page = timeline(viewer.get(page_of(run)).content.decode())
    assert page.count("durable-span-wait") == 3  # and in the legend
    assert "wait: waiting" in page


def test_a_long_silence_is_cut_and_the_axis_says_so(viewer):
    run = make_run("completed", created_at=now() - timedelta(days=3))
    make_step(run, "first", seq=1)
    late = run.started_at + timedelta(days=2)
    make_step(run, "second", seq=2, started_at=late, finished_at=late + timedelta(seconds=1))
    Execution.objects.filter(pk=run.pk).update(finished_at=late + timedelta(seconds=2))
    page = viewer.get(page_of(run)).content.decode()
    assert 'class="durable-cut-label"' in page
    assert "in which nothing ran are cut short here" in page


def test_members_fold_out_of_the_lane_of_their_fork(viewer):
    run = make_run("running")
    strands = make_fork(run, ["completed"] * 60)
    make_step(strands[0], "send", path=f"{strands[0].path}/send")
    page = timeline(viewer.get(page_of(run)).content.decode())
    assert page.count('<details id="lane-') == 1
    names = lanes_of(viewer, run)
    assert names[0] == "sending"
    assert len(names) == 1 + timeline_rows.ROOM[0][0]
    assert "20 more members are not shown here." in page


def test_a_rollback_has_lanes_of_its_own(viewer):
    run = make_run("compensated")
    make_step(run, "charge", seq=1)
    make_step(run, "refund", seq=2, kind="compensation", path="charge~refund")
    page = timeline(viewer.get(page_of(run)).content.decode())
    before, _, after = page.partition("Rollback")
    assert ">charge<" in before
    assert ">refund<" in after


def test_all_of_it_can_be_read_as_a_table(viewer):
    run = make_run("completed")
    make_step(run, "charge", "failed", seq=1)
    make_step(run, "charge", seq=2, attempt=2)
    page = viewer.get(page_of(run)).content.decode()
    table = re.sub(r"<[^>]+>", " ", page.partition("<tbody>")[2].partition("</tbody>")[0])
    assert table.split()[:3] == ["charge", "completed", "2"]


def test_many_nodes_are_paged(viewer, monkeypatch):
    monkeypatch.setattr(graph, "LANES_PER_PAGE", 2)
    run = make_run("running")
    for seq in range(1, 6):
        make_step(run, f"node{seq}", seq=seq)
    assert lanes_of(viewer, run) == ["node1", "node2"]
    assert lanes_of(viewer, run, "?lanes=3") == ["node5"]
    assert "Nodes 1 to 2 of 5." in text_of(viewer, page_of(run))


def test_of_very_many_attempts_the_newest_are_drawn_and_that_is_said(viewer, monkeypatch):
    monkeypatch.setattr(timeline_rows, "ATTEMPTS_MAX", 3)
    run = make_run("running")
    for seq in range(1, 6):
        make_step(run, f"node{seq}", seq=seq)
    assert lanes_of(viewer, run) == ["node3", "node4", "node5"]
    assert "These are the newest." in text_of(viewer, page_of(run))


def test_a_run_of_an_unknown_plan_has_a_timeline_and_no_graph(viewer):
    run = make_run("completed", workflow_name="tests.gone")
    make_step(run, "charge")
    page = viewer.get(page_of(run)).content.decode()
    assert 'id="durable-graph"' not in page
    assert lanes_of(viewer, run) == ["charge"]


def test_the_plan_that_was_stored_is_drawn_with_links_to_its_steps(viewer):
    make_definition({"nodes": [{"name": "charge", "kind": "step"}]})
    run = make_run("completed")
    make_step(run, "charge")
    page = viewer.get(page_of(run)).content.decode()
    part = page.partition('id="durable-graph"')[2].partition('id="durable-timeline"')[0]
    assert '<a href="?tab=steps&amp;node=charge"' in part


def test_no_name_in_a_timeline_is_markup(viewer):
    run = make_run("running")
    make_step(run, EVIL, path=EVIL)
    make_fork(run, ["completed"], path="a<b>", seq=2)
    page = viewer.get(page_of(run)).content.decode()
    assert "<script>alert" not in page
    assert "a<b>" not in page


def test_what_was_recorded_before_the_run_was_made_is_drawn(viewer):
    run = make_run("completed")
    early = run.created_at - timedelta(hours=5)
    make_step(run, "copied", started_at=early, finished_at=early + timedelta(seconds=1))
    assert lanes_of(viewer, run) == ["copied"]


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_nothing_goes_on_in_a_run_that_has_ended(viewer, status):
    run = make_run(status, created_at=now() - timedelta(days=9))
    make_fork(run, ["cancelled"] * 2)
    make_step(run, "charge", "running", seq=3)
    StepRun.objects.filter(execution=run, seq=3).update(finished_at=None)
    page = timeline(viewer.get(page_of(run)).content.decode())
    assert " d " not in re.sub(r"<title>.*?</title>", "", page).partition("durable-lanes")[2]


def test_the_queries_of_a_timeline_do_not_grow_with_the_run(viewer):
    make_definition({"nodes": [{"name": "charge", "kind": "step"}]})
    run = make_run("running", worker=make_worker())

    def queries():
        with CaptureQueriesContext(connection) as found:
            viewer.get(page_of(run))
        return len(found)

    strands = make_fork(run, ["completed"] * 60)
    make_step(strands[0], "send", path=f"{strands[0].path}/send")
    few = queries()
    for seq in range(2, 20):
        strands = make_fork(run, ["completed"] * 30, path=f"more{seq}", seq=seq)
        make_step(strands[0], "send", path=f"{strands[0].path}/send")
    assert queries() == few <= 32
