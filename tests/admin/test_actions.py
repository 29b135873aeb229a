"""What holds for every action on a run: who may, by which request, and what a GET does not do."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from durable_django import Workflow, pause, step, wait_for_event
from durable_django.admin.actions.verbs import ACTIONS
from durable_django.admin.executions import ExecutionAdmin
from durable_django.models import AuditEntry, Event, Execution
from durable_django.testing import run as run_through
from tests.admin.conftest import EVERY_VIEW, LIST, page_of
from tests.admin.rows import make_fork, make_run

pytestmark = pytest.mark.usefixtures("isolated")

EVIL = "</script><script>pwned()</script><img src=x onerror=pwned()>"
PERMISSIONS = {
    "retry": "retry_execution",
    "skip": "skip_execution",
    "rerun": "rerun_execution",
    "edit_context": "edit_context",
    "send_event": "send_event",
    "resume": "pause_execution",
    "pause": "pause_execution",
    "cancel": "cancel_execution",
}
# Whether a run of a status is one that the action is for.
FAILED = ("retry", "skip", "rerun", "edit_context")
SENT = {
    "retry": {"reason": "", "node": ""},
    "skip": {"reason": "done by hand", "node": "second", "value": '{"paid": 12}'},
    "rerun": {"reason": "", "node": "second", "confirmed": "1"},
    "edit_context": {"reason": "wrong", "context": '{"n": 2}', "confirmed": "1"},
    "send_event": {"name": "go", "payload": "1"},
    "resume": {"reason": ""},
    "pause": {"reason": ""},
    "cancel": {"reason": "enough"},
}


def address_of(run, verb):
    return reverse(f"admin:durable_django_execution_{verb}", args=[run.pk])


def make_workflows():
    class Fails(Workflow):
        class Meta:
            name = "tests.fails"

        @step
        def first(self):
            self.context["n"] = 1

        @step
        def second(self):
            if self.context["n"] != 2:
                raise ValueError(EVIL)
            return "ok"

        @step
        def third(self):
            return self.outputs["second"]

    class Waits(Workflow):
        class Meta:
            name = "tests.waits"

        go = wait_for_event("go")

    return Fails, Waits


@pytest.fixture
def subject():
    """`subject(verb)`: a run that the action is for, and what its form is sent."""
    fails, waits = make_workflows()

    def make(verb):
        run = run_through(fails if verb in FAILED else waits)
        if verb == "resume":
            run = pause(run.pk)
        return Execution.objects.get(pk=run.pk)

    return make


def sent(client, run, verb, **more):
    """The data of the form, with what its hidden fields carry."""
    asked = client.get(address_of(run, verb))
    data = dict(SENT[verb])
    if verb == "edit_context" and asked.status_code == 200:
        data["seen"] = asked.context["adminform"].form.initial["seen"]
    return {**data, **more}


def traces():
    """All that an action can leave behind."""
    return (
        list(Execution.objects.order_by("id").values_list("id", "status", "lease", "paused_at")),
        LogEntry.objects.count(),
        AuditEntry.objects.count(),
        Event.objects.count(),
    )


@pytest.fixture(params=list(ACTIONS))
def verb(request):
    return request.param


def test_each_action_names_a_permission_that_exists():
    assert {v: a.permission.partition(".")[2] for v, a in ACTIONS.items()} == PERMISSIONS


def test_who_may_do_it_can_and_it_is_written_down_twice(staff, subject, verb):
    run = subject(verb)
    client = staff(*EVERY_VIEW, PERMISSIONS[verb])
    assert f'href="{address_of(run, verb)}' in client.get(page_of(run)).content.decode()
    before = AuditEntry.objects.count()
    done = client.post(address_of(run, verb), sent(client, run, verb), follow=True)
    assert done.status_code == 200
    assert [m.level_tag for m in done.context["messages"]] == ["success"], done.content.decode()
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user.username) == (str(run.pk), "staff-0")
    told = AuditEntry.objects.filter(execution=run.pk, verb=verb).latest("id")
    assert told.by == "staff-0"
    assert AuditEntry.objects.count() > before


def test_without_its_permission_it_is_refused_and_no_button_is_shown(staff, subject, verb):
    run = subject(verb)
    others = set(PERMISSIONS.values()) - {PERMISSIONS[verb]}
    client = staff(*EVERY_VIEW, *others)
    before = traces()
    assert f'href="{address_of(run, verb)}' not in client.get(page_of(run)).content.decode()
    assert client.get(address_of(run, verb)).status_code == 403
    assert client.post(address_of(run, verb), SENT[verb]).status_code == 403
    assert traces() == before


def test_who_cannot_see_runs_can_do_nothing_to_them(staff, subject, verb):
    run = subject(verb)
    client = staff(PERMISSIONS[verb])
    before = traces()
    assert client.get(address_of(run, verb)).status_code == 403
    assert client.post(address_of(run, verb), SENT[verb]).status_code == 403
    assert traces() == before


def test_a_get_changes_nothing(admin_client, subject, verb):
    run = subject(verb)
    before = traces()
    assert admin_client.get(address_of(run, verb), SENT[verb]).status_code == 200
    assert traces() == before


def test_a_post_without_a_token_is_refused(admin_user, subject, verb):
    run = subject(verb)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_user)
    before = traces()
    assert strict.post(address_of(run, verb), SENT[verb]).status_code == 403
    assert traces() == before


def test_a_run_that_has_moved_on_is_left_alone_and_it_is_said(admin_client, subject, verb):
    run = subject(verb)
    data = sent(admin_client, run, verb)
    now = "running" if verb in FAILED else "completed"
    ended = make_run(now, workflow_name=run.workflow_name)
    fields = ("status", "lease", "worker_id", "finished_at", "due_at")
    Execution.objects.filter(pk=run.pk).update(**{f: getattr(ended, f) for f in fields})
    before = traces()
    done = admin_client.post(address_of(run, verb), data, follow=True)
    assert done.redirect_chain[-1][0].startswith(page_of(run))
    (message,) = done.context["messages"]
    assert message.level_tag == "error"
    assert f"already {now}" in str(message)
    assert traces() == before
    assert f'href="{address_of(run, verb)}' not in done.content.decode()


def test_a_run_that_one_may_not_see_does_not_exist(admin_client, subject, verb, monkeypatch):
    run = subject(verb)
    before = traces()
    monkeypatch.setattr(
        ExecutionAdmin,
        "get_queryset",
        lambda self, request: Execution.objects.filter(queue="another"),
    )
    assert admin_client.get(address_of(run, verb)).status_code == 404
    assert admin_client.post(address_of(run, verb), SENT[verb]).status_code == 404
    assert traces() == before


def test_a_member_of_a_run_is_left_to_its_run(admin_client, verb):
    strand = make_fork(make_run("running"), ["failed"])[0]
    before = traces()
    for done in (
        admin_client.get(address_of(strand, verb), follow=True),
        admin_client.post(address_of(strand, verb), SENT[verb], follow=True),
    ):
        (message,) = done.context["messages"]
        assert "part of a run" in str(message)
    assert traces() == before


@pytest.mark.parametrize("pk", ["nonsense", "00000000-0000-7000-8000-000000000000"])
def test_what_does_not_exist_is_not_found(admin_client, verb, pk):
    address = f"{LIST}{pk}/{verb}/"
    assert admin_client.get(address).status_code == 404
    assert admin_client.post(address, SENT[verb]).status_code == 404


def test_what_a_run_holds_is_text_on_the_page_that_asks(admin_client, subject, verb):
    run = subject(verb)
    Execution.objects.filter(pk=run.pk).update(reason=EVIL, tags=[EVIL])
    for response in (
        admin_client.get(address_of(run, verb)),
        admin_client.post(address_of(run, verb), {"reason": EVIL, "node": EVIL, "name": EVIL}),
    ):
        assert "<script>pwned" not in response.content.decode()
        assert "<img src=x" not in response.content.decode()


def test_who_may_only_look_sees_no_buttons(viewer, subject):
    for verb in ACTIONS:
        page = viewer.get(page_of(subject(verb))).content.decode()
        assert [v for v in ACTIONS if f"/{v}/" in page] == []
