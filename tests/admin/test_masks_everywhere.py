"""A secret is put wherever a run can carry one; no page, export or poll shows it to who may not see
what is sensitive, and all of them do to who may."""

from datetime import date
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry

from durable_django import Workflow, step, wait_for_event
from durable_django.admin.tabs import TABS
from durable_django.engine import values
from durable_django.models import AuditEntry, Execution
from tests.admin.conftest import LIST, page_of
from tests.admin.rows import (
    make_definition,
    make_fork,
    make_run,
    make_schedule,
    make_step,
    make_tick,
    make_worker,
)
from tests.admin.test_events_tab import make_event
from tests.admin.test_history_tab import make_entry
from tests.admin.urls import NOBODY, needs, pages, permissions
from tests.inputs.waits import ask, make_wait

pytestmark = pytest.mark.usefixtures("isolated")

NAME = "tests.pays"
# By their end they are found in whatever form they stand: HTML, JSON, a cut text.
CARD, PIN, QUOTED = "4111-2222-3333-9876", 48_151_623_42, 'pa"ss\nwörd<9>'
TRACES = ("3333-9876", "4815162342", "1980-02-29", "wörd", "w\\u00f6rd", "271828.18")
SECRETS = {
    "card": CARD,
    "pin": PIN,
    "password": QUOTED,
    "born": date(1980, 2, 29),
    "salary": Decimal("271828.18"),
}
HELD = values.encode({"card": CARD}, "held")
SAID = f"with {CARD}, {PIN}, {QUOTED!r}, 1980-02-29 and {SECRETS['salary']}"


@pytest.fixture
def pays(settings):
    settings.DURABLE = {"SENSITIVE": ["pin", "salary"]}

    class Pays(Workflow):
        class Meta:
            name = NAME
            sensitive = ("card", "password", "born")

        @step
        def charge(self):
            self.context["n"] = 1

        go = wait_for_event("go")

    return Pays


def error(**more):
    return {"type": "ValueError", "message": SAID, "traceback": SAID, "node": "charge", **more}


def fill(status: str, **fields) -> Execution:
    """A run that carries its secrets in every way that there is."""
    run = make_run(
        status,
        workflow_name=NAME,
        input={"order": {"deep": [SECRETS]}, "note": SAID, "number": PIN, "day": SECRETS["born"]},
        context={**SECRETS, "n": 1, "copy": [PIN, SECRETS["salary"], CARD]},
        outputs={"charge": SECRETS, "card": [SAID]},
        result=SECRETS,
        tags=[f"card={CARD}", CARD, f"x{PIN}"],
        reason=SAID,
        idempotency_key=f"{status}-{CARD}",
        **{"error": error(), **fields},
    )
    for seq, ended in enumerate(("completed", "failed", "running"), 1):
        make_step(
            run,
            "charge",
            ended,
            seq=seq,
            attempt=seq,
            output=SECRETS,
            changes=[("set", key, value) for key, value in SECRETS.items()],
            error=error(),
            logs=[SAID, f"card={CARD}"],
            progress=0.5,
            progress_message=SAID,
        )
    make_event(run, "paid", {"deep": [SECRETS]}, key=CARD, idempotency_key=CARD)
    make_event(run, "card", CARD)
    for number, fields in enumerate(({"status": "completed"}, {"status": "failed"}, {})):
        got = {"value_text": HELD, "comment": SAID, "key": CARD}
        make_wait(run, "event", node=f"wait{number}", error_text="", **got, **fields)
    ask(run, form="text", node="asked", prompt=f"Is it {SAID}?")
    make_wait(
        run,
        node="answered",
        status="completed",
        request_text=values.encode({"form": "text", "prompt": SAID}, "request"),
        value_text=HELD,
        comment=SAID,
        answered_by="somebody",
    )
    make_entry(run, "edit_context", {"set": SECRETS, "removed": [], "before": SECRETS}, reason=SAID)
    make_entry(run, "skip", {"node": "card", "paths": ["card"], "value": CARD}, reason=SAID)
    make_entry(run, "send_event", {"name": "card", "key": CARD, "more": SAID}, reason=SAID)
    make_fork(run, ["failed", "completed"], seq=9, input_text=HELD)
    return run


@pytest.fixture
def runs(db, pays):
    worker = make_worker()
    waiting = fill("waiting")
    return {
        "failed": fill("failed"),
        "completed": fill("completed", error=None),
        "running": fill("running", worker=worker),
        "paused": fill("paused"),
        "waiting": waiting,
    }


@pytest.fixture
def clerk(staff):
    """Who may do and see everything but what is sensitive."""
    return staff(*(set(permissions()) - {"view_sensitive"}))


def text_of(response) -> str:
    if response.streaming:
        return b"".join(response.streaming_content).decode()
    return response.content.decode()


def told(text: str) -> list[str]:
    return [trace for trace in TRACES if trace in text]


def addresses(runs):
    """All pages of all runs, and all lists."""
    yield from (LIST, f"{LIST}export/", "/admin/", "/admin/durable_django/")
    rows = {"worker": runs["running"].worker, "workflowdefinition": make_definition(name=NAME)}
    schedule = make_schedule(
        NAME, input_text=values.encode(SECRETS, "i"), error=SAID, disabled_reason=SAID
    )
    make_tick(schedule, "failed", detail=SAID)
    make_entry(None, "disable", schedule=schedule.key, reason=SAID)
    rows["schedule"] = schedule
    for page in pages():
        if needs()[page.name] is NOBODY:
            continue
        if page.model in ("execution", "overview"):
            for run in runs.values():
                yield page.address(run.pk)
        elif page.model in rows:
            yield page.address(rows[page.model].pk)
    for run in runs.values():
        for tab in TABS:
            yield f"{page_of(run)}?tab={tab}"
        for query in (
            "tab=steps&node=charge",
            "tab=steps&state=failed&level=INFO",
            "tab=context&from=0&to=3",
            "tab=events&whole=1",
            "tab=steps&fork=9",
        ):
            yield f"{page_of(run)}?{query}&whole=1"
        for strand in Execution.objects.filter(parent=run.pk):
            yield from (f"{page_of(strand)}?tab={tab}" for tab in TABS)
    for wait in (*runs["waiting"].waits.filter(kind="input"), *runs["failed"].waits.all()):
        yield f"/admin/durable_django/pendinginput/{wait.pk}/change/"


def test_no_page_shows_a_secret(clerk, runs):
    looked = 0
    for address in addresses(runs):
        response = clerk.get(address, follow=True)
        assert response.status_code == 200, address
        text = text_of(response)
        assert told(text) == [], address
        looked += "••••••" in text or "\\u2022" in text
    assert looked > 50


def test_who_may_see_what_is_sensitive_is_shown_it(admin_client, runs):
    run = runs["failed"]
    shown = "".join(text_of(admin_client.get(f"{page_of(run)}?tab={tab}&whole=1")) for tab in TABS)
    assert set(told(shown)) >= {"3333-9876", "4815162342", "1980-02-29", "271828.18"}


def test_a_search_in_the_logs_finds_nothing_in_what_is_masked(clerk, runs):
    for query in ("3333", CARD, str(PIN)):
        page = text_of(clerk.get(f"{page_of(runs['failed'])}?tab=steps&q={query}"))
        assert "durable-log-message" not in page or f"with {CARD}" not in page
        assert "1980-02-29" not in page


def test_the_forms_of_all_actions_show_no_secret_nor_what_they_answer(clerk, runs):
    sent = {
        "reason": SAID,
        "node": "charge",
        "context": '{"card": ',
        "input": '{"n": 1}',
        "name": "card",
        "payload": "",
    }
    for page in pages():
        if page.model == "execution" and page.has_id and needs()[page.name] is not NOBODY:
            for run in runs.values():
                assert told(text_of(clerk.get(page.address(run.pk), follow=True))) == []
    # What somebody has just written himself is said again; nothing beside it.
    wrong = {**sent, "reason": "x", "context": "[]", "value": "{"}
    for verb in ("rerun", "skip", "edit_context"):
        answer = clerk.post(f"{LIST}{runs['failed'].pk}/{verb}/", wrong, follow=True)
        assert told(text_of(answer)) == [], verb


def edit(client, run, text, **more):
    address = f"{LIST}{run.pk}/edit_context/"
    seen = client.get(address).context["adminform"].form.initial["seen"]
    return client.post(address, {"reason": "x", "context": text, "seen": seen, **more})


def shown_context(client, run) -> str:
    return client.get(f"{LIST}{run.pk}/edit_context/").context["adminform"].form.initial["context"]


def test_the_context_is_changed_without_being_seen_and_keeps_what_is_masked(clerk, pays):
    known = {**SECRETS, "n": 1, "deep": {"card": CARD, "m": 2}}
    run = make_run("paused", workflow_name=NAME, context=known)
    text = shown_context(clerk, run)
    assert told(text) == []
    changed = text.replace('"n": 1', '"n": 7').replace('"m": 2', '"m": 8')
    review = edit(clerk, run, changed)
    assert told(text_of(review)) == []
    assert edit(clerk, run, changed, confirmed="1").status_code == 302
    after = Execution.objects.get(pk=run.pk).context
    assert after == {**SECRETS, "n": 7, "deep": {"card": CARD, "m": 8}}
    history = text_of(clerk.get(f"{page_of(run)}?tab=history"))
    assert told(history) == []


def test_a_guess_at_what_is_masked_is_not_told_from_a_change(clerk, pays):
    """Else whoever may edit could try all of them."""
    run = make_run("paused", workflow_name=NAME, context={"pin": "1234", "n": 1})
    text = shown_context(clerk, run)
    answers = [
        text_of(edit(clerk, run, text.replace("••••••", guess))) for guess in ("1234", "9999")
    ]
    right, wrong = (answer.partition('id="durable-difference"')[2] for answer in answers)
    assert right
    assert right.partition("<form")[0].replace("1234", "9999") == wrong.partition("<form")[0]


def test_a_reason_that_quotes_a_secret_is_masked_in_both_histories(clerk, pays):
    run = make_run("waiting", workflow_name=NAME, context=SECRETS)
    clerk.post(f"{LIST}{run.pk}/pause/", {"reason": f"{SAID} card=77"})
    assert CARD in AuditEntry.objects.get(execution=run.pk).reason
    (entry,) = LogEntry.objects.all()
    assert told(str(entry.get_change_message())) == []
    for address in (f"{LIST}{run.pk}/history/", "/admin/", f"{page_of(run)}?tab=history"):
        assert told(text_of(clerk.get(address))) == []


def test_a_poll_answers_with_masks_too(clerk, runs):
    for run in runs.values():
        headers = {"durable-live": "1", "If-None-Match": 'W/"old"'}
        answer = clerk.get(page_of(run), headers=headers)
        assert answer.status_code == 200
        assert told(text_of(answer)) == []
        assert all(not told(value) for value in answer.headers.values())


def test_a_tag_of_a_run_too_large_to_be_read_for_the_list_is_not_shown_there(clerk, pays):
    make_run(workflow_name=NAME, input={"card": CARD, "much": "x" * 30_000}, tags=[CARD, "vip"])
    make_run(workflow_name=NAME, input={"n": 1}, tags=["open=yes"])
    page = text_of(clerk.get(LIST))
    assert told(page) == []
    assert "open=yes" in page
    assert '<span class="durable-tag">vip' not in page
