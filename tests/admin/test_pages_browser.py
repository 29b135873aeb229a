"""Every page of the admin, full of hostile and of long texts: it is text, it fits, it can be read.

What the pages say is tested elsewhere; here it is how they come out in a browser.
"""

from urllib.parse import quote

import pytest
from django.contrib.admin.utils import quote as quoted

from durable_django.engine import values
from durable_django.models import Queue
from durable_django.store import tallies
from tests.admin.browser import (
    EVIL,
    NARROW,
    WIDE,
    WIDEST,
    opened,
    over,
    press,
    serious_faults,
)
from tests.admin.conftest import DEFINITIONS, LIST, WORKERS, page_of
from tests.admin.rows import (
    make_definition,
    make_error,
    make_fork,
    make_run,
    make_step,
    make_worker,
    now,
)
from tests.admin.test_events_tab import make_event, received
from tests.admin.test_history_tab import make_entry
from tests.inputs.waits import ask, make_wait

pytestmark = pytest.mark.browser

HOME = "/admin/durable_django/"
TABS = ("graph", "steps", "context", "events", "history")
TEXT = f"{EVIL}{'w' * 60}"
NODES = [
    {"name": "charge", "kind": "step", "doc": TEXT, "compensation": {"name": "undo"}},
    {"name": TEXT, "kind": "step"},
    {
        "name": "sending",
        "kind": "foreach",
        "children": [{"name": "send", "kind": "step", "doc": TEXT}],
    },
]


def busy_run():
    """A run to which all has happened, with that text wherever there can be one."""
    error = {"type": TEXT, "message": TEXT, "traceback": TEXT, "node": "charge"}
    run = make_run(
        "failed",
        input={TEXT: TEXT},
        context={TEXT: {TEXT: [TEXT, 1, None]}},
        outputs={"charge": TEXT},
        tags=[TEXT],
        error=error,
    )
    make_step(run, "charge", "failed", seq=1, logs=[TEXT], error=error)
    changes = [("set", TEXT[:90], TEXT)]
    make_step(run, "charge", seq=2, attempt=2, output={TEXT: TEXT}, changes=changes, logs=[TEXT])
    make_step(run, TEXT, seq=3, path=TEXT, progress=0.5, progress_message=TEXT)
    member = make_fork(run, ["completed", "failed"], seq=4, error_text=_text(error))[1]
    make_step(member, "send", "failed", path=f"{member.path}/send", logs=[TEXT], error=error)
    wait = received(run, path=TEXT, name=TEXT)
    make_event(run, TEXT, {TEXT: TEXT}, wait, key=TEXT, idempotency_key=TEXT)
    done = {"status": "completed", "value_text": _text(TEXT), "comment": TEXT}
    make_wait(run, node="done", answered_by=TEXT, **done)
    detail = {"set": {TEXT: TEXT}, "before": {TEXT: [TEXT]}, "removed": [TEXT]}
    make_entry(run, "edit_context", detail, by=TEXT, reason=TEXT)
    make_entry(run, "skip", {"node": TEXT, "paths": [TEXT], "value": TEXT}, by=TEXT, reason=TEXT)
    return run, member


def _text(value):
    return values.encode(value, "value")


@pytest.fixture
def pages(transactional_db):
    """The addresses of all pages."""
    tallies.forget()
    worker = make_worker(hostname=TEXT, queues=["default", EVIL], workflows=[f"{TEXT} v1"])
    Queue.objects.create(name=EVIL, created_at=now(), paused_at=now(), concurrency_limit=3)
    definition = make_definition({"nodes": NODES})
    make_definition({"nodes": NODES[:2]}, version=2)
    run, member = busy_run()
    make_run("running", worker=worker, workflow_name=TEXT, queue=EVIL)
    make_run("failed", workflow_name=TEXT, error=make_error(TEXT))
    tallies.count(TEXT, "failed", now(), now())
    tallies.flush()
    fields = {"a": {"type": "choice", "choices": [TEXT], "label": TEXT, "help": TEXT}, "b": "date"}
    waiting = make_run("waiting", workflow_name=TEXT, queue=EVIL)
    asked = ask(waiting, form="form", prompt=TEXT, fields=fields, name=TEXT)
    queue = f"{HOME}queue/{quote(quoted(EVIL))}/"
    return [
        HOME,
        f"{HOME}overview/",
        f"{HOME}overview/?period=week",
        f"{HOME}overview/metrics/",
        LIST,
        f"{LIST}?q={TEXT[:20]}",
        *(f"{page_of(run)}?tab={tab}" for tab in TABS),
        page_of(waiting),
        page_of(member),
        DEFINITIONS,
        f"{DEFINITIONS}{definition.pk}/change/",
        f"{DEFINITIONS}{definition.pk}/change/?with=2",
        f"{HOME}queue/",
        *(f"{queue}{verb}/" for verb in ("change", "limit", "resume")),
        WORKERS,
        f"{WORKERS}{worker.pk}/change/",
        f"{HOME}pendinginput/",
        f"{HOME}pendinginput/{asked.pk}/change/",
        f"{LIST}start/",
        f"{LIST}start/?workflow=process_order",
        f"{LIST}start/many/?workflow=process_order",
        f"{LIST}publish/",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault_or_executes_anything(open_page, pages, scheme):
    page = open_page(scheme=scheme, is_strict=False)
    found = {address: serious_faults(opened(page, address)) for address in pages}
    assert {address: faults for address, faults in found.items() if faults} == {}


@pytest.mark.parametrize("width", [NARROW, WIDE, WIDEST])
@pytest.mark.parametrize("language", ["en", "ar"])
def test_no_page_is_wider_than_its_window_from_either_side(
    open_page, pages, settings, width, language
):
    # Whichever decides: the settings, or what the browser asks for.
    settings.LANGUAGE_CODE = language
    page = open_page(width=width, language=language)
    found = {address: over(opened(page, address)) for address in pages}
    assert page.locator("html").get_attribute("dir") == ("rtl" if language == "ar" else "ltr")
    assert {address: pixels for address, pixels in found.items() if pixels > 0} == {}


def test_the_tabs_of_a_run_are_walked_with_the_keyboard_alone(page):
    run, _ = busy_run()
    page.goto(page_of(run))
    for number, name in enumerate(TABS):
        press(page.locator(".durable-tabs a").nth(number))
        page.wait_for_url(f"**tab={name}")
        current = page.locator(".durable-tabs a[aria-current=page]")
        assert current.count() == 1
        assert current.get_attribute("href").endswith(f"tab={name}")
