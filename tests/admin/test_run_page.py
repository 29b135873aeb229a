"""The page of one execution: everything there is to know, readable, escaped."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.admin import run_request
from durable_django.admin.tabs import context, steps
from durable_django.engine.paths import node_name
from durable_django.models import AuditEntry, Execution, StepRun
from tests.admin.conftest import (
    DEFINITIONS,
    LIST,
    WORKERS,
    cancel_of,
    context_of,
    page_of,
    steps_of,
)
from tests.admin.rows import make_definition, make_error, make_run, make_step, make_worker, now

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>"


def text_of(client, address):
    """What the page says, without its tags."""
    page = client.get(address).content.decode()
    plain = re.sub(r"<[^>]+>", "", page)
    return plain.replace("&quot;", '"').replace("&#x27;", "'").replace("&gt;", ">")


def test_the_head_says_what_where_when_and_by_whom(viewer):
    definition = make_definition()
    worker = make_worker(hostname="oak")
    run = make_run(
        "running",
        worker=worker,
        queue="evening",
        priority=7,
        tags=["vip"],
        idempotency_key="key-1",
        timeout_at=now() + timedelta(hours=2, seconds=30),
        recoveries=2,
    )
    text = text_of(viewer, page_of(run))
    for said in (str(run.pk), "evening", "7", "vip", "key-1", "in 2 h 0 min", "oak:4711"):
        assert said in text
    assert "so far" in text
    assert f"{run.created_at:%Y-%m-%d %H:%M:%S}.{run.created_at.microsecond // 1000:03d}" in text
    page = viewer.get(page_of(run)).content.decode()
    assert f"/workflowdefinition/{definition.pk}/change/" in page
    assert f"/worker/{worker.pk}/change/" in page


def test_values_are_readable_whatever_their_type(viewer):
    run = make_run(
        "completed",
        input={"order": {"id": 7, "items": [1, 2]}},
        context={
            "total": Decimal("12.50"),
            "due": datetime(2030, 1, 31, 10, tzinfo=UTC),
            "local": datetime(2030, 1, 31, 10, tzinfo=ZoneInfo("Europe/Berlin")),
            "day": date(2030, 1, 31),
            "pause": timedelta(minutes=5),
            "who": UUID(int=7),
            "raw": b"\x00\x01",
            "pair": (1, "two"),
            "some": {3, 1},
        },
        outputs={"charge": None},
        result=True,
    )
    text = text_of(viewer, context_of(run))
    for said in (
        '{"order": {"id": 7, "items": [1, 2]}}',
        "12.50 Decimal",
        "2030-01-31 10:00:00+00:00 datetime",
        "2030-01-31 10:00:00+01:00 Europe/Berlin datetime",
        "2030-01-31 date",
        "0:05:00 timedelta",
        "00000000-0000-0000-0000-000000000007 UUID",
        r"b'\x00\x01' bytes",
        '(1, "two") tuple',
        "{1, 3} set",
        "true",
    ):
        assert said in text


def test_every_attempt_is_shown_in_order(viewer):
    run = make_run("failed", error=make_error("declined"))
    make_step(run, "validate", seq=1, changes=[("set", "total", 3)], output={"ok": True})
    make_step(run, "charge", "failed", seq=2, error=make_error("lost"), logs=["asking the bank"])
    make_step(run, "charge", "timed_out", seq=3, attempt=2, error=make_error("slow"))
    make_step(run, "charge", "failed", seq=4, attempt=3, error=make_error("declined"))
    page = viewer.get(steps_of(run)).content.decode()
    assert re.findall(r'id="(step-\d)"', page) == ["step-1", "step-2", "step-3", "step-4"]
    text = text_of(viewer, steps_of(run))
    for said in ("attempt 2", "attempt 3", "250 ms", "timed out", "1 log line"):
        assert said in text
    for said in ("asking the bank", '{"ok": true}', "total", "ValueError: lost"):
        assert said in text
    # Only where the run fell is unfolded; a traceback never is.
    assert page.count('<details class="durable-step durable-step-bad" open>') == 1
    assert page.count("<details><summary>Traceback</summary>") == 4


def test_a_visit_in_a_block_or_after_a_jump_is_shown_with_its_path(viewer):
    run = make_run("running")
    paths = ["collect", "collect#2", "polling[3]/poll", "polling[3]", "months[2]/days#2[30]/send"]
    for seq, path in enumerate(paths, 1):
        make_step(run, node_name(path), seq=seq, path=path)
    page = viewer.get(steps_of(run)).content.decode()
    shown = re.findall(r'"durable-step-name"><code>(.*?)</code>', page)
    assert [re.sub(r"<[^>]+>", "", path) for path in shown] == paths
    assert shown[2] == '<span class="quiet">polling[3]/</span>poll'


def test_a_run_that_has_not_started_has_a_page(viewer):
    run = make_run("scheduled", scheduled_at=now() + timedelta(hours=1))
    assert "No step has run yet" in text_of(viewer, steps_of(run))


def test_a_run_whose_snapshot_refers_to_large_outputs_shows_them(viewer):
    run = make_run("completed")
    make_step(run, "fetch", output="a long text")
    snapshot = '{"next":"","seq":1,"attempt":0,"context":{},"outputs":{"fetch":1},"last":"fetch"}'
    Execution.objects.filter(pk=run.pk).update(snapshot=snapshot)
    assert text_of(viewer, context_of(run)).count('"a long text"') == 1


def test_nothing_of_the_data_is_markup(operator):
    error = {"type": EVIL, "message": EVIL, "traceback": EVIL, "node": EVIL}
    run = make_run(
        "running",
        workflow_name=EVIL,
        input={EVIL: EVIL},
        context={EVIL: [EVIL], "tuple": (EVIL,)},
        outputs={EVIL: EVIL},
        result=EVIL,
        error=error,
        tags={EVIL: EVIL},
        reason=EVIL,
        queue=EVIL,
        idempotency_key=EVIL,
        worker=make_worker(hostname=EVIL),
    )
    make_step(
        run,
        EVIL,
        "failed",
        output=EVIL,
        changes=[("set", EVIL, EVIL)],
        error=error,
        logs=[EVIL],
        kind="<b>",
        progress=0.5,
        progress_message=EVIL,
        path=EVIL,
        worker=run.worker,
    )
    ended = make_run("cancelled", reason=EVIL, workflow_name=EVIL)
    nodes = [{"name": EVIL, "kind": EVIL, "doc": EVIL}]
    definition = make_definition({"nodes": nodes}, name=EVIL, doc=EVIL)
    for address in (
        page_of(run),
        steps_of(run),
        context_of(run),
        page_of(ended),
        cancel_of(run),
        LIST,
        f"{LIST}?workflow={EVIL}&queue={EVIL}&q={EVIL}",
        DEFINITIONS,
        f"{DEFINITIONS}{definition.pk}/change/",
        WORKERS,
        f"{WORKERS}{run.worker_id}/change/",
    ):
        page = operator.get(address).content.decode()
        assert "<script>alert" not in page, address
        assert "<img src=x" not in page, address
        assert "&lt;script&gt;alert" in page, address
    operator.post(cancel_of(run), {"reason": EVIL})
    for address in (page_of(run), f"{LIST}{run.pk}/history/"):
        page = operator.get(address).content.decode()
        assert "<script>alert" not in page, address


def test_there_is_no_script_or_style_in_the_pages(operator):
    run = make_run("running", context={"a": 1})
    make_step(run, "validate")
    for address in (LIST, page_of(run), steps_of(run), context_of(run), cancel_of(run)):
        page = operator.get(address).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)", page), address
        assert "<style" not in page, address
        assert not re.search(r"<[^>]+\s(style|on\w+)=", page), address


def test_characters_that_mislead_are_shown_as_escapes(viewer):
    run = make_run(input={"name": "pdf.\u202eexe", "emoji": "👩\u200d🚀"})
    text = text_of(viewer, context_of(run))
    assert "\u202e" not in text
    assert r"pdf.\u202eexe" in text
    assert "👩\u200d🚀" in text


def test_a_long_value_is_cut_and_can_be_shown_whole(viewer, monkeypatch):
    monkeypatch.setattr(run_request, "VALUE_LENGTH_MAX", 50)
    run = make_run(input={"text": "a" * 100 + "END"})
    cut = text_of(viewer, context_of(run))
    assert "END" not in cut
    assert "The end of this value is missing here." in cut
    assert "END" in text_of(viewer, f"{context_of(run)}&whole=1")


def test_of_very_many_keys_the_first_are_shown(viewer, monkeypatch):
    monkeypatch.setattr(context, "ENTRIES_MAX", 2)
    run = make_run(context={"first": 1, "second": 2, "third": 3})
    cut = text_of(viewer, context_of(run))
    assert "second" in cut
    assert "third" not in cut
    assert "And 1 more." in cut
    assert "third" in text_of(viewer, f"{context_of(run)}&whole=1")


def test_a_value_that_cannot_be_read_here_leaves_the_page_standing(viewer):
    run = make_run("completed", input={"fine": 1})
    make_step(run, "charge", output=1, logs=["fine"])
    Execution.objects.filter(pk=run.pk).update(
        input_text='{"$":["datetime","2030-01-01","No/Where"]}'
    )
    StepRun.objects.filter(execution=run).update(
        output_text='{"$":["money",5]}', logs_text="nonsense", error_text="{"
    )
    text = text_of(viewer, context_of(run)) + text_of(viewer, steps_of(run))
    assert text.count("This value cannot be read on this machine.") >= 4
    assert "money" not in text


def test_many_attempts_are_paged_beginning_with_the_last(viewer, monkeypatch):
    monkeypatch.setattr(steps, "STEPS_PER_PAGE", 2)
    run = make_run("running")
    for seq in range(1, 6):
        make_step(run, f"node{seq}", seq=seq)
    page = viewer.get(steps_of(run)).content.decode()
    assert 'id="step-5"' in page
    assert 'id="step-4"' not in page
    assert 'href="?tab=steps&amp;steps=2"' in page
    assert 'id="step-3"' in viewer.get(f"{steps_of(run)}&steps=2").content.decode()
    assert viewer.get(f"{steps_of(run)}&steps=nonsense").status_code == 200


def test_the_number_of_queries_does_not_depend_on_the_number_of_attempts(viewer):
    run = make_run("running")

    def queries():
        with CaptureQueriesContext(connection) as found:
            viewer.get(steps_of(run))
        return len(found)

    make_step(run, "first", seq=1, worker=run.worker)
    few = queries()
    for seq in range(2, 30):
        make_step(run, f"node{seq}", seq=seq, worker=make_worker())
    assert queries() == few <= 16


def test_a_worker_whose_row_is_gone_is_named_by_its_id(viewer):
    run = make_run("running")
    make_step(run, "first", worker=run.worker)
    type(run.worker).objects.all()._raw_delete("default")
    assert str(run.worker_id) in text_of(viewer, steps_of(run))


def test_runs_started_by_a_run_are_linked_with_it(viewer):
    run = make_run("running")
    child = make_run(parent=run, depth=1)
    Execution.objects.filter(pk=child.pk).update(root=run.pk)
    assert f'href="{page_of(child)}"' in viewer.get(page_of(run)).content.decode()
    assert f'href="{page_of(run)}"' in viewer.get(page_of(child)).content.decode()


@pytest.mark.parametrize("language", ["en", "de", "ar", "fr"])
def test_the_page_opens_in_every_language(viewer, settings, language):
    settings.LANGUAGE_CODE = language
    settings.USE_THOUSAND_SEPARATOR = True
    run = make_run("running", created_at=now() - timedelta(hours=3))
    make_step(run, "first")
    page = viewer.get(steps_of(run)).content.decode()
    assert re.search(r'<rect x="\d+" width="\d+" height="10"/>', page)
    assert viewer.get(LIST).status_code == 200


def test_a_run_that_will_be_paused_says_so_beside_its_status(viewer):
    run = make_run("running", paused_at=now())
    assert "to be paused before the next node" in text_of(viewer, page_of(run))
    still = make_run("running")
    assert "to be paused" not in text_of(viewer, page_of(still)).partition("Id")[0]


def test_the_head_says_who_cancelled_a_run(viewer):
    run = make_run("cancelled", reason="Ordered twice")
    AuditEntry.objects.create(execution=run, verb="cancel", by="ada", created_at=now())
    text = text_of(viewer, page_of(run))
    assert "Ordered twice" in text
    assert "cancelled by ada just now" in text


def test_why_it_does_not_move_leads_to_what_helps(staff):
    run = make_run("failed", error=make_error("declined"))
    may = staff("view_execution", "retry_execution")
    page = may.get(page_of(run)).content.decode()
    part = page.partition('class="durable-why"')[2].partition("</div>")[0]
    assert f"{run.pk}/retry/" in part
    page = staff("view_execution").get(page_of(run)).content.decode()
    part = page.partition('class="durable-why"')[2].partition("</div>")[0]
    assert part
    assert "/retry/" not in part
