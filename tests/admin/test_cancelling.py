"""Cancelling from the admin: asked first, with a reason, by those who may, each failure told."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from durable_django import api
from durable_django.admin.actions import bulk, pages
from durable_django.exceptions import InvalidState
from durable_django.models import Execution
from tests.admin.conftest import CANCEL_MANY, LIST, cancel_of, page_of
from tests.admin.rows import make_run, make_step

REASON = "The customer called."


def statuses():
    return list(Execution.objects.order_by("id").values_list("status", flat=True))


def messages_of(response):
    return [str(message) for message in response.context["messages"]]


def choose(client, *runs, address=LIST, **more):
    """Ticks runs in the list and picks the action."""
    ticked = {"action": "cancel_selected", "_selected_action": [run.pk for run in runs]}
    return client.post(address, {**ticked, **more}, follow=True)


def ids(*runs):
    return " ".join(str(run.pk) for run in runs)


# One run


@pytest.mark.parametrize("status", ["pending", "running", "sleeping", "scheduled", "waiting"])
def test_a_run_is_cancelled_with_a_reason(operator, status):
    run = make_run(status)
    asked = operator.get(cancel_of(run))
    assert asked.status_code == 200
    assert 'name="reason"' in asked.content.decode()
    done = operator.post(cancel_of(run), {"reason": REASON}, follow=True)
    assert done.redirect_chain == [(page_of(run), 302)]
    assert messages_of(done) == [f"{run} was cancelled."]
    run.refresh_from_db()
    assert (run.status, run.reason) == ("cancelled", REASON)
    assert REASON in done.content.decode()


def test_a_get_changes_nothing(operator):
    run = make_run()
    for address in (cancel_of(run), f"{cancel_of(run)}?reason=x", CANCEL_MANY, page_of(run)):
        operator.get(address, {"reason": REASON, "ids": ids(run)})
    operator.get(LIST, {"action": "cancel_selected", "_selected_action": run.pk})
    assert statuses() == ["pending"]
    assert LogEntry.objects.count() == 0


def test_without_a_reason_one_is_asked_again(operator):
    run = make_run()
    response = operator.post(cancel_of(run), {"reason": "  "})
    assert "This field is required" in response.content.decode()
    assert statuses() == ["pending"]


def test_the_history_tells_who_cancelled_and_why(operator):
    run = make_run()
    operator.post(cancel_of(run), {"reason": REASON})
    entry = LogEntry.objects.get()
    assert entry.object_id == str(run.pk)
    assert REASON in entry.change_message
    assert entry.user.username.startswith("staff-")
    history = operator.get(f"{LIST}{run.pk}/history/").content.decode()
    assert REASON in history


def test_no_run_is_cancelled_without_a_trace_of_who_did_it(operator, monkeypatch):
    def broken(*args):
        raise RuntimeError("the history is full")

    monkeypatch.setattr(pages.ActionPages, "log_change", broken)
    run = make_run()
    with pytest.raises(RuntimeError):
        operator.post(cancel_of(run), {"reason": REASON})
    assert statuses() == ["pending"]


def test_a_run_that_has_moved_on_is_left_alone_and_it_is_said(operator):
    run = make_run("completed")
    for response in (
        operator.get(cancel_of(run), follow=True),
        operator.post(cancel_of(run), {"reason": REASON}, follow=True),
    ):
        assert messages_of(response) == [f"{run} was not cancelled. It is already completed."]
    assert statuses() == ["completed"]
    assert LogEntry.objects.count() == 0


def test_a_run_that_ends_while_it_is_cancelled_is_told(operator, monkeypatch):
    run = make_run()

    def too_late(*args, **options):
        raise InvalidState("too late", status="failed")

    monkeypatch.setattr(api, "cancel", too_late)
    response = operator.post(cancel_of(run), {"reason": REASON}, follow=True)
    assert messages_of(response) == [f"{run} was not cancelled. It is already failed."]
    assert LogEntry.objects.count() == 0


def test_the_button_stands_only_where_there_is_something_to_cancel(operator):
    active, ended = make_run(), make_run("failed")
    assert f'href="{cancel_of(active)}' in operator.get(page_of(active)).content.decode()
    assert f'href="{cancel_of(ended)}' not in operator.get(page_of(ended)).content.decode()


@pytest.mark.parametrize("pk", ["nonsense", "00000000-0000-7000-8000-000000000000"])
def test_what_does_not_exist_cannot_be_cancelled(operator, pk):
    assert operator.get(f"{LIST}{pk}/cancel/").status_code == 404
    assert operator.post(f"{LIST}{pk}/cancel/", {"reason": REASON}).status_code == 404


def test_running_steps_are_shown_as_cancelled_afterwards(operator):
    run = make_run("running")
    make_step(run, "slow", "running")
    operator.post(cancel_of(run), {"reason": REASON})
    page = operator.get(page_of(run)).content.decode()
    assert page.count("cancelled</span>") == 2


# Several runs


def test_several_are_cancelled_after_a_page_that_says_how_many(operator):
    first, second, other = make_run(), make_run("running"), make_run()
    asked = choose(operator, first, second)
    page = asked.content.decode()
    assert "Cancel 2 executions" in page
    assert str(first.pk) in page
    assert str(other.pk) not in page
    assert statuses() == ["pending", "running", "pending"]
    sent = asked.context["adminform"].form.initial["ids"]
    done = operator.post(CANCEL_MANY, {"ids": sent, "reason": REASON}, follow=True)
    assert messages_of(done) == ["2 executions were cancelled."]
    assert statuses() == ["cancelled", "cancelled", "pending"]
    assert set(Execution.objects.values_list("reason", flat=True)) == {REASON, ""}
    assert LogEntry.objects.count() == 2


def test_those_that_have_ended_are_left_out_and_it_is_said(operator):
    active, ended = make_run(), make_run("failed")
    page = choose(operator, active, ended).content.decode()
    assert "Cancel 1 execution" in page
    assert "1 of those selected is left out" in page
    response = choose(operator, ended)
    assert messages_of(response) == [
        "This can be done to none of the selected executions, as they are now."
    ]


def test_each_that_could_not_be_cancelled_is_reported(operator):
    active, completed, failed = make_run(), make_run("completed"), make_run("failed")
    done = operator.post(
        CANCEL_MANY, {"ids": ids(active, completed, failed), "reason": REASON}, follow=True
    )
    assert sorted(messages_of(done)) == sorted(
        [
            "1 execution was cancelled.",
            f"{completed} was not cancelled. It is already completed.",
            f"{failed} was not cancelled. It is already failed.",
        ]
    )
    assert statuses() == ["cancelled", "completed", "failed"]


def test_many_failures_are_counted_not_listed(operator):
    runs = [make_run("failed") for _ in range(bulk.FAILURES_TOLD_MAX + 3)]
    done = operator.post(CANCEL_MANY, {"ids": ids(*runs), "reason": REASON}, follow=True)
    assert len(messages_of(done)) == bulk.FAILURES_TOLD_MAX + 1
    assert messages_of(done)[-1] == "And 3 more were left as they were."


def test_runs_that_are_gone_are_counted(operator):
    gone = "00000000-0000-7000-8000-000000000000"
    done = operator.post(CANCEL_MANY, {"ids": gone, "reason": REASON}, follow=True)
    assert messages_of(done) == ["1 execution is gone."]


def test_several_are_not_cancelled_without_a_reason(operator):
    runs = [make_run(), make_run()]
    response = operator.post(CANCEL_MANY, {"ids": ids(*runs), "reason": ""})
    assert "This field is required" in response.content.decode()
    assert response.context["adminform"].form["ids"].value() == ids(*runs)
    assert statuses() == ["pending", "pending"]


def test_all_pages_of_a_list_can_be_cancelled_up_to_a_limit(operator, monkeypatch):
    monkeypatch.setattr(bulk, "MANY_MAX", 2)
    runs = [make_run(queue="night") for _ in range(3)]
    make_run()
    asked = choose(operator, runs[0], address=f"{LIST}?queue=night", select_across="1", index="0")
    assert asked.context["adminform"].form.initial["ids"] == ids(runs[2], runs[1])
    page = asked.content.decode()
    assert "More were selected. At most 2 are done at a time" in page
    # Back goes to the list as it was filtered.
    assert f'href="{LIST}?queue=night"' in page


@pytest.mark.parametrize("sent", ["", "nonsense", "1 2 3", "0" * 32 + " x"])
def test_ids_that_are_none_are_refused(operator, sent):
    assert operator.post(CANCEL_MANY, {"ids": sent, "reason": REASON}).status_code == 400


# Who may


def test_who_may_only_look_sees_no_button_and_can_do_nothing(viewer):
    run = make_run()
    page = viewer.get(f"{page_of(run)}?tab=steps").content.decode()
    listed = viewer.get(LIST).content.decode()
    assert "/cancel/" not in page
    assert '_selected"' not in listed.replace('value="export_selected"', "")
    assert "/bulk/" not in listed
    for address in (cancel_of(run), CANCEL_MANY):
        assert viewer.get(address).status_code == 403
        sent = viewer.post(address, {"reason": REASON, "ids": ids(run)})
        assert sent.status_code == 403
    choose(viewer, run)
    assert statuses() == ["pending"]


def test_who_cannot_see_runs_cannot_cancel_them(staff):
    client = staff("cancel_execution")
    run = make_run()
    for address in (LIST, page_of(run), cancel_of(run)):
        assert client.get(address).status_code == 403
    assert client.post(cancel_of(run), {"reason": REASON}).status_code == 403
    assert client.post(CANCEL_MANY, {"reason": REASON, "ids": ids(run)}).status_code == 403
    assert statuses() == ["pending"]


def test_who_is_not_logged_in_is_asked_to(client):
    run = make_run()
    for address in (cancel_of(run), CANCEL_MANY):
        response = client.post(address, {"reason": REASON, "ids": ids(run)})
        assert response.status_code == 302
        assert "/login/" in response["Location"]
    assert statuses() == ["pending"]


def test_a_post_without_a_csrf_token_is_refused(admin_user):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_user)
    run = make_run()
    for address in (cancel_of(run), CANCEL_MANY):
        assert strict.post(address, {"reason": REASON, "ids": ids(run)}).status_code == 403
    assert statuses() == ["pending"]
