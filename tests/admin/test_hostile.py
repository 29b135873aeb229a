"""Whatever a run carries is text: no page takes it for HTML, breaks at it, or grows without bound.

Nor does any page break at what somebody writes into its address or its forms.
"""

import re
from collections.abc import Iterable
from urllib.parse import urlencode

import pytest
from django.contrib.admin.utils import quote as quoted
from django.test import Client

from durable_django import Workflow, step
from durable_django.admin.tabs import TABS
from durable_django.engine import values
from durable_django.models import Execution, Queue
from tests.admin.conftest import LIST, page_of
from tests.admin.rows import (
    make_definition,
    make_fork,
    make_run,
    make_schedule,
    make_step,
    make_worker,
    now,
)
from tests.admin.test_events_tab import make_event
from tests.admin.test_history_tab import make_entry
from tests.admin.test_permissions_matrix import everything
from tests.admin.urls import NOBODY, needs, pages
from tests.inputs.waits import ask, make_wait

pytestmark = pytest.mark.usefixtures("isolated")

SCHEDULES = "/admin/durable_django/schedule/"
RTL = "\N{RIGHT-TO-LEFT OVERRIDE}"
MARKUP = "</script></title></textarea><script>pwned()</script>\"'&<img src=x onerror=pwned()>"
REST = "\\u0000\\x00%00{{7*7}}{% now %}%(n)s"
EVIL = f"{MARKUP}{RTL}txt.exe{REST}"
# Of a workflow, a queue, a host: what their own people write into the code, without tricks of
# writing; nobody else can make one.
NAME = f"{MARKUP}{REST}"[:150]
SIZE_MAX = 2_000_000


def error(text: str) -> dict[str, str]:
    return {"type": text, "message": text, "traceback": text, "node": text}


def fill(status: str, text: str, name: str, **fields) -> Execution:
    """A run all of whose texts are `text`; names are `name`."""
    run = make_run(
        status,
        workflow_name=name,
        queue=name[:100],
        input={text[:1_000]: [text, {text[:500]: text}]},
        context={name: text, "n": 1},
        outputs={name: text},
        result=text,
        error=error(text),
        tags=[text],
        reason=text,
        idempotency_key=f"{status}{name}",
        **fields,
    )
    at = {"path": name, "kind": "step"}
    for seq, ended in enumerate(("completed", "failed", "running"), 1):
        make_step(
            run,
            name,
            ended,
            seq=seq,
            attempt=seq,
            output=text,
            changes=[("set", name, text)],
            error=error(text),
            progress=0.5,
            progress_message=text[:200],
            **at,
            logs_text=values.encode(
                [{"at": now(), "level": "INFO", "logger": name, "message": text}], "logs"
            ),
        )
    given = text[:150]
    make_event(run, given, {given: text}, key=given, idempotency_key=given)
    make_wait(run, "event", node=name, name=given, key=given)
    ask(run, form="text", node="asked", prompt=text, to=f"user:{given}", name=given)
    answered = {"comment": text, "answered_by": given, "value_text": values.encode(text, "v")}
    make_wait(run, "input", node="answered", status="completed", **answered)
    told = {
        "set": {name: text},
        "removed": [name],
        "before": {name: text},
        "node": name,
        name: text,
    }
    make_entry(run, "edit_context", told, by=given, reason=text)
    return run


def addresses(run: Execution, rows: dict[str, object]):
    """All pages of a run, and all lists."""
    yield from ("/admin/", "/admin/durable_django/")
    for page in pages():
        if needs()[page.name] is not NOBODY:
            yield page.address(quoted(str(rows.get(page.model, run).pk)))
    yield from (f"{page_of(run)}?tab={tab}" for tab in TABS)
    yield f"{page_of(run)}?tab=context&from=0&to=3"
    yield f"{page_of(run)}?tab=steps&{urlencode({'node': NAME, 'q': 'script'})}"
    for strand in Execution.objects.filter(parent=run.pk):
        yield f"{page_of(strand)}?tab=steps"


def looked_at(client, address: str) -> str:
    response = client.get(address, follow=True)
    assert response.status_code == 200, address
    if response.streaming:
        return b"".join(response.streaming_content).decode()
    text = response.content.decode()
    assert len(text) < SIZE_MAX, (address, len(text))
    return text


def rows_of(name: str, worker) -> dict[str, object]:
    nodes = [{"name": name, "kind": "step", "compensation": {"name": name}, "doc": name}]
    structure = {"nodes": nodes, "doc": name}
    return {
        "worker": worker,
        "queue": Queue.objects.create(name=name[:100], created_at=now(), paused_at=now()),
        "schedule": make_schedule(name, name[:100], error=name, disabled_reason=name),
        "workflowdefinition": make_definition(structure, name=name, doc=name),
    }


def test_nothing_is_taken_for_html_nor_turns_what_follows_around(admin_client):
    worker = make_worker(hostname=NAME, queues=[NAME[:100]], workflows=[f"{NAME} v1"])
    rows = rows_of(NAME, worker)
    make_entry(None, "pause", queue=NAME[:100], by=EVIL[:150], reason=EVIL)
    looked = 0
    for status in ("failed", "waiting", "running", "completed"):
        held = {"worker": worker} if status == "running" else {}
        run = fill(status, EVIL, NAME, **held)
        make_fork(run, ["failed", "completed"], seq=9, path=NAME.replace("/", "|"))
        wait = run.waits.filter(kind="input", resolved_at__isnull=True).get()
        for address in addresses(run, {**rows, "pendinginput": wait}):
            text = looked_at(admin_client, address)
            if address.endswith("/export/"):
                continue
            looked += 1
            for hostile in (
                "<script>pwned",
                "<img src=x",
                "</textarea><script>",
                "{{7*7}}x",
                "49}}",
            ):
                assert hostile not in text, address
            shown = re.sub(r'<textarea.*?</textarea>|value="[^"]*"', "", text, flags=re.DOTALL)
            assert RTL not in shown, (address, shown[max(shown.find(RTL) - 300, 0) :][:400])
    assert looked > 100


def test_a_title_says_a_name_and_no_more(admin_client):
    run = fill("failed", EVIL, NAME)
    text = looked_at(admin_client, page_of(run))
    assert text.count("<title>") == text.count("</title>")
    (title,) = re.findall(r"<title>(.*?)</title>", text.partition("</head>")[0], re.DOTALL)
    assert "<" not in title


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a text of a megabyte", "<b>&" * 260_000),
        ("a hundred thousand keys", {f"key<{n}>": n for n in range(100_000)}),
        ("a deep one", None),
        ("many lines", "\n" * 300_000),
    ],
)
def test_what_is_large_keeps_pages_small(admin_client, what, text):
    if text is None:
        text = "<x>"
        for _ in range(90):
            text = [text, {"k<": text}] if isinstance(text, str) else [text]
    run = make_run(
        "failed",
        input=text,
        context={"large": text, **{f"k{n}<": n for n in range(3_000)}},
        outputs={"charge": text},
        result=text,
        error=error(text[:500_000]) if isinstance(text, str) else error("no"),
        reason=text[:500_000] if isinstance(text, str) else "no",
    )
    logs = [text[:30_000]] * 2 if isinstance(text, str) else []
    make_step(run, "charge", "failed", output=text, changes=[("set", "x", text)], logs=logs)
    make_event(run, "large", text)
    make_entry(run, "edit_context", {"set": {"large": text}, "removed": [], "before": {}})
    for tab in TABS:
        looked_at(admin_client, f"{page_of(run)}?tab={tab}")
    for address in (LIST, "/admin/durable_django/overview/"):
        looked_at(admin_client, address)


NONSENSE = (
    "",
    "-1",
    "0",
    "9" * 30,
    "9" * 5_000,
    "1e9",
    "\N{ARABIC-INDIC DIGIT THREE}",
    "\N{SUPERSCRIPT TWO}",
    "\0",
    "null",
    "'\"><script>pwned()</script>",
    "[]",
    "%",
    "../..",
    "x" * 3_000,
)
ASKED = (
    *("tab", "steps", "lanes", "members", "fork", "from", "to", "before", "waits", "whole", "node"),
    *(
        "state",
        "level",
        "q",
        "p",
        "o",
        "all",
        "e",
        "after",
        "status",
        "workflow",
        "version",
        "queue",
    ),
    *("created", "created_from", "created_to", "waiting", "awaited", "tag", "paused", "parent"),
    *(
        "source",
        "period",
        "with",
        "for",
        "execution",
        "name",
        "key",
        "_changelist_filters",
        "_to_field",
        "_popup",
    ),
)


FEW_OF = 8
WITHOUT_A_ROW = ("_changelist", "_export", "_start", "_publish")


def listed_and_shown() -> list[str]:
    """All lists, and pages of a run, with rows behind them."""
    run = make_run("failed")
    make_step(run, "charge", "failed")
    make_fork(run, ["failed"], seq=2)
    rows = {"worker": make_worker(), "workflowdefinition": make_definition()}
    lists = [p.address() for p in pages() if p.name.endswith(WITHOUT_A_ROW)]
    shown = [
        *(f"{page_of(run)}?tab={tab}" for tab in TABS),
        f"/admin/durable_django/workflowdefinition/{rows['workflowdefinition'].pk}/change/",
        f"{LIST}{run.pk}/send_event/",
        f"{LIST}bulk/cancel/",
        f"{SCHEDULES}{make_schedule().pk}/change/",
        f"{SCHEDULES}add/",
    ]
    return [*lists, *shown]


def ask_for(client: Client, address: str, names: Iterable[str], nonsense: str) -> None:
    joint = "&" if "?" in address else "?"
    response = client.get(f"{address}{joint}{urlencode(dict.fromkeys(names, nonsense))}")
    assert response.status_code < 500, (address, names)
    if not response.streaming:
        assert b"<script>pwned" not in response.content


@pytest.mark.parametrize("nonsense", NONSENSE, ids=lambda text: repr(text)[:20])
def test_nonsense_in_an_address_is_no_failure(admin_client, nonsense):
    for address in listed_and_shown():
        ask_for(admin_client, address, ASKED, nonsense)


# A few at a time, since one parameter may hide what another does. One by one it is eight thousand
# pages, which is five minutes, and found nothing more.
@pytest.mark.slow
@pytest.mark.parametrize("nonsense", NONSENSE[::5], ids=lambda text: repr(text)[:20])
def test_nonsense_in_a_few_parameters_is_no_failure(admin_client, nonsense):
    for address in listed_and_shown():
        for begin in range(FEW_OF):
            ask_for(admin_client, address, ASKED[begin::FEW_OF], nonsense)


JSON_NONSENSE = (
    "{",
    "[" * 100_000,
    '{"a":' * 5_000,
    "NaN",
    "1e999",
    "9" * 10_000,
    '"\\ud800"',
    '"\\u0000"',
    "\0",
    '{"$": ["date", "x"]}',
    '{"$": ["no-such-type", 1]}',
    '{"$": 1}',
    '{"$": ["results", "x", -1]}',
    "'\"><script>pwned()</script>",
)


@pytest.mark.parametrize("text", JSON_NONSENSE, ids=lambda text: text[:12].replace("\0", "NUL"))
def test_nonsense_in_a_form_is_told_beside_the_field_or_taken_as_it_is(admin_client, text):
    class Pays(Workflow):
        class Meta:
            name = "tests.order"

        @step
        def charge(self):
            pass

    run = make_run("failed", error=error("no") | {"node": "charge"})
    make_step(run, "charge", "failed", error=error("no"))
    waiting = make_run("waiting")
    wait = ask(waiting, form="text")
    data = {"reason": text, "node": "charge", "name": text, "key": text, "tags": text}
    data |= {"context": text, "input": text, "value": text, "payload": text, "ids": text}
    data |= {"queue": text, "idempotency_key": text, "answer-value": text, "limit": text}
    data |= {"keep": text, "once": "0190f3d8-7a52-7c7e-8f2a-3d1f8c0f1a11"}
    schedule = make_schedule("tests.order")
    data |= {"workflow": "tests.order", "cron": text, "timezone": text, "interval": text}
    data |= {"start_0": text, "start_1": text, "end_0": text, "to_0": text, "previewed": text}
    before = len(everything()[2])
    for address in (
        *(f"{LIST}{run.pk}/{verb}/" for verb in ("edit_context", "skip", "rerun", "retry")),
        f"{LIST}{waiting.pk}/send_event/",
        f"{LIST}{waiting.pk}/pause/",
        f"{LIST}start/?workflow=tests.order",
        f"{LIST}start/many/?workflow=tests.order",
        f"{LIST}publish/",
        f"{LIST}bulk/cancel/",
        f"/admin/durable_django/pendinginput/{wait.pk}/change/",
        f"{SCHEDULES}add/",
        *(f"{SCHEDULES}{schedule.pk}/{verb}/" for verb in ("trigger", "backfill", "move", "edit")),
    ):
        response = admin_client.post(address, data)
        assert response.status_code in (200, 302, 400), address
        assert b"<script>pwned" not in response.content
    assert len(everything()[2]) == before


def test_the_name_of_a_file_holds_nothing_that_a_run_brought(admin_client):
    make_run("failed", workflow_name=NAME, queue="x\r\ny")
    header = admin_client.get(f"{LIST}export/?{urlencode({'q': EVIL})}")["Content-Disposition"]
    assert re.fullmatch(r'attachment; filename="executions-\d{8}-\d{6}\.jsonl"', header)
