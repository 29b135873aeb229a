"""Several runs at once: asked first, told how many, each failure reported."""

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from durable_django.admin.actions import bulk
from durable_django.models import AuditEntry, Execution
from tests.admin.conftest import EVERY_VIEW, LIST
from tests.admin.rows import make_run, make_step

VERBS = {
    "cancel": ("cancel_execution", "pending", "cancelled"),
    "retry": ("retry_execution", "failed", "pending"),
    "pause": ("pause_execution", "pending", "paused"),
    "resume": ("pause_execution", "paused", "pending"),
}
LISTED = {"_changelist_filters": "queue=night"}


def address_of(verb):
    return reverse(f"admin:durable_django_execution_{verb}_many")


def ids(*runs):
    return " ".join(str(run.pk) for run in runs)


def messages_of(response):
    return [str(message) for message in response.context["messages"]]


def make(status, **fields):
    run = make_run(status, **fields)
    if status == "failed":
        make_step(run, "charge", "failed", error={"type": "E", "message": "", "node": "charge"})
    return run


@pytest.fixture(params=list(VERBS))
def verb(request):
    return request.param


def statuses():
    return list(Execution.objects.order_by("id").values_list("status", flat=True))


def test_the_list_offers_what_somebody_may_do(staff):
    make_run()
    for verb, (permission, _before, _after) in VERBS.items():
        page = staff(*EVERY_VIEW, permission).get(LIST).content.decode()
        assert f'value="{verb}_selected"' in page
        others = {v for v, found in VERBS.items() if found[0] != permission}
        assert [v for v in others if f'value="{v}_selected"' in page] == []
        assert [v for v in others if f"/bulk/{v}/" in page] == []


def test_those_ticked_are_asked_for_and_then_done(staff, verb):
    permission, before, after = VERBS[verb]
    client = staff(*EVERY_VIEW, permission)
    first, second, other = make(before), make(before), make(before)
    ticked = {"action": f"{verb}_selected", "_selected_action": [first.pk, second.pk]}
    asked = client.post(LIST, ticked)
    assert asked.context["title"] == f"{verb.capitalize()} 2 executions"
    assert str(other.pk) not in asked.content.decode()
    assert statuses() == [before] * 3
    data = {"ids": asked.context["adminform"].form.initial["ids"], "reason": "all of them"}
    done = client.post(address_of(verb), data, follow=True)
    (message,) = messages_of(done)
    assert message.startswith("2 executions")
    assert statuses() == [after, after, before]
    assert LogEntry.objects.count() == 2
    entries = AuditEntry.objects.filter(verb=verb, by="staff-0", reason="all of them")
    assert {entry.execution_id for entry in entries} == {first.pk, second.pk}


def test_all_that_the_filters_find_are_asked_for(staff, verb):
    permission, before, _after = VERBS[verb]
    client = staff(*EVERY_VIEW, permission)
    there = [make(before, queue="night") for _ in range(3)]
    make(before), make("completed", queue="night")
    page = client.get(f"{LIST}?queue=night").content.decode()
    assert f'href="{address_of(verb)}?_changelist_filters=queue%3Dnight"' in page
    asked = client.get(address_of(verb), LISTED)
    assert asked.context["title"] == f"{verb.capitalize()} 3 executions"
    assert "1 of those selected is left out" in asked.content.decode()
    assert asked.context["adminform"].form.initial["ids"] == ids(*reversed(there))
    assert asked.context["back_url"] == f"{LIST}?queue=night"
    assert asked.context["form_url"].endswith("?_changelist_filters=queue%3Dnight")


def test_each_that_has_moved_on_is_told_and_the_others_are_done(staff, verb):
    permission, before, after = VERBS[verb]
    client = staff(*EVERY_VIEW, permission)
    good, gone = make(before), make("completed")
    missing = "00000000-0000-7000-8000-000000000000"
    data = {"ids": f"{ids(good, gone)} {missing}", "reason": "x"}
    done = client.post(address_of(verb), data, follow=True)
    told = sorted(messages_of(done))
    assert len(told) == 3
    assert any(f"{gone} was not" in text and "already completed" in text for text in told)
    assert "1 execution is gone." in told
    assert statuses() == [after, "completed"]


def test_a_failure_of_one_does_not_undo_another(admin_client, monkeypatch):
    from durable_django import api

    runs = [make_run() for _ in range(3)]
    cancel = api.cancel

    def sometimes(pk, *args, **options):
        found = cancel(pk, *args, **options)
        if pk == runs[1].pk:
            raise ValueError("<b>no</b>")
        return found

    monkeypatch.setattr(api, "cancel", sometimes)
    data = {"ids": ids(*runs), "reason": "x"}
    done = admin_client.post(address_of("cancel"), data, follow=True)
    assert statuses() == ["cancelled", "pending", "cancelled"]
    assert "&lt;b&gt;no&lt;/b&gt;" in done.content.decode()
    assert "<b>no</b>" not in done.content.decode()


def test_those_one_may_not_see_are_left_alone(admin_client, monkeypatch):
    from durable_django.admin.executions import ExecutionAdmin

    hidden, seen = make_run(queue="secret"), make_run()
    monkeypatch.setattr(
        ExecutionAdmin,
        "get_queryset",
        lambda self, request: Execution.objects.filter(queue="default"),
    )
    data = {"ids": ids(hidden, seen), "reason": "x"}
    told = messages_of(admin_client.post(address_of("cancel"), data, follow=True))
    assert sorted(told) == ["1 execution is gone.", "1 execution was cancelled."]
    assert statuses() == ["pending", "cancelled"]
    assert str(hidden.pk) not in admin_client.get(address_of("cancel")).content.decode()


def test_more_than_the_limit_are_done_in_parts(admin_client, monkeypatch):
    monkeypatch.setattr(bulk, "MANY_MAX", 2)
    runs = [make_run() for _ in range(3)]
    asked = admin_client.get(address_of("cancel"))
    assert asked.context["adminform"].form.initial["ids"] == ids(runs[2], runs[1])
    assert "At most 2 are done at a time" in asked.content.decode()
    sent = {"ids": ids(*runs), "reason": "x"}
    assert admin_client.post(address_of("cancel"), sent).status_code == 400


def test_filters_that_make_no_sense_find_nothing(admin_client):
    make_run()
    for filters in ("status=nonsense", "lease=1", "before=x"):
        response = admin_client.get(address_of("cancel"), {"_changelist_filters": filters})
        assert response.status_code in (400, 403)


def test_several_are_undone_only_when_that_is_chosen(admin_client):
    runs = [make_run(), make_run()]
    page = admin_client.get(address_of("cancel"))
    assert page.context["adminform"].form.fields["how"].initial == "stop"
    sent = {"ids": ids(*runs), "reason": "x", "how": "nonsense"}
    refused = admin_client.post(address_of("cancel"), sent)
    assert "Select a valid choice" in refused.content.decode()
    assert statuses() == ["pending", "pending"]
