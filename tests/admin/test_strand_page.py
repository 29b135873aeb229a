"""A strand has a page of its own, reached from its run; what people do, they do to the run."""

import pytest

from durable_django.admin.executions import ExecutionAdmin
from durable_django.models import Execution
from tests.admin.conftest import CANCEL_MANY, cancel_of, context_of, page_of, steps_of
from tests.admin.rows import make_fork, make_run, make_step
from tests.admin.test_cancelling import messages_of
from tests.admin.test_run_page import text_of


def test_a_strand_shows_itself_and_the_way_to_its_run(viewer):
    run = make_run("running")
    outer = make_fork(run, ["waiting"] * 120)[110]
    strand = make_fork(outer, ["completed"] * 2, path=f"{outer.path}/in", seq=4)[1]
    make_step(strand, "send", path=f"{strand.path}/send", output="sent", logs=["off it goes"])
    text = text_of(viewer, context_of(strand)) + text_of(viewer, steps_of(strand))
    for said in ("Member of a run", strand.path, '{"number": 1}', '"gave 1"', "off it goes"):
        assert said in text
    page = viewer.get(page_of(strand)).content.decode()
    assert f'href="{page_of(run)}"' in page
    assert f'href="{page_of(outer)}?tab=steps&amp;fork=4&amp;members=1#member-{strand.pk}"' in page
    page = viewer.get(page_of(outer)).content.decode()
    # The page of members that it is on.
    assert f'href="{page_of(run)}?tab=steps&amp;fork=1&amp;members=3#member-{outer.pk}"' in page
    assert f'id="member-{outer.pk}"' in viewer.get(f"{page_of(run)}?fork=1&members=3").text


def test_a_member_of_a_parallel_has_no_item_and_shows_what_it_changed(viewer):
    run = make_run("running", context={"total": 1})
    strand = make_fork(run, ["completed"], path="fetch", kind="parallel", names=["user"])[0]
    changed = '{"next":"","seq":1,"attempt":0,"changes":[["set","name","ada"]],"outputs":{},'
    Execution.objects.filter(pk=strand.pk).update(snapshot=changed + '"last":"user"}')
    text = text_of(viewer, context_of(strand))
    assert "Item" not in text
    assert "Context changes" in text
    assert '"ada"' in text
    assert "total" not in text


def test_a_strand_that_is_held_back_says_so(viewer):
    strand = make_fork(make_run("waiting"), ["held_back"])[0]
    text = text_of(viewer, steps_of(strand))
    assert "waits for its turn" in text
    assert "No step of it has run yet." in text


def test_nobody_cancels_a_strand(operator):
    run = make_run("waiting")
    strand = make_fork(run, ["pending"])[0]
    assert "Cancel this run" not in text_of(operator, page_of(strand))
    for ask in (operator.get, lambda *a, **k: operator.post(*a, {"reason": "why not"}, **k)):
        done = ask(cancel_of(strand), follow=True)
        assert done.redirect_chain == [(page_of(strand), 302)]
        said = messages_of(done)
        assert len(said) == 1
        assert "It is part of a run, and this is done to the run as a whole." in said[0]
    operator.post(CANCEL_MANY, {"reason": "why not", "ids": str(strand.pk)})
    strand.refresh_from_db()
    run.refresh_from_db()
    assert (run.status, strand.status) == ("waiting", "pending")


def test_a_run_that_is_rolled_back_is_not_cancelled(operator):
    run = make_run("compensating")
    assert "Cancel this run" not in text_of(operator, page_of(run))
    done = operator.post(cancel_of(run), {"reason": "why not"}, follow=True)
    assert messages_of(done) == [f"{run} was not cancelled. It is already compensating."]


def test_a_strand_is_seen_by_those_who_may_see_its_run(staff, monkeypatch):
    hidden = make_fork(make_run("waiting", queue="secret"), ["pending"])[0]
    inner = make_fork(hidden, ["pending"], path=f"{hidden.path}/in")[0]
    shown = make_fork(make_run("waiting"), ["pending"])[0]
    every = ExecutionAdmin.get_queryset
    monkeypatch.setattr(
        ExecutionAdmin, "get_queryset", lambda self, r: every(self, r).exclude(queue="secret")
    )
    viewer = staff("view_execution")
    assert viewer.get(page_of(shown)).status_code == 200
    for strand in (hidden, inner):
        assert viewer.get(page_of(strand)).status_code == 302
        assert viewer.get(cancel_of(strand)).status_code == 403
    assert staff().get(page_of(shown)).status_code == 403


@pytest.mark.parametrize("pk", ["nonsense", "01890a5d-ac96-774b-bcce-b302099a8057"])
def test_an_address_that_leads_nowhere_goes_back_to_the_index(viewer, pk):
    make_run()
    assert viewer.get(f"/admin/durable_django/execution/{pk}/change/").status_code == 302
