"""Takes the pictures of the admin in docs/images: `python docs/screenshots.py [--only overview]`.

It plays the demo on a database of its own in a temporary directory, sets a stage with what the
demo leaves nobody to do, serves the admin on localhost and photographs it with Chromium (Debian:
apt install chromium; Python: playwright). It touches nothing but the pictures.
"""

import argparse
import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
LOGIN = "admin"
WIDTH, HEIGHT_MIN, HEIGHT_MAX = 1280, 400, 1300
QUALITY = 82
START_SECONDS_MAX = 30
# These in the dark, too.
DARK = ("overview", "list", "run")
# These down to their end.
WHOLE = ("overview",)

STAGE = """
import json
from datetime import timedelta
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.utils.timezone import now
import durable_django as durable
from durable_django.engine import values
from durable_django.models import Event, Execution, PendingInput, Queue, WorkflowDefinition
from durable_django.testing import drain
from example_project.expenses.playing import hand_in_sample
from example_project.shop.workflows import ProcessOrder

call_command("migrate", verbosity=0)
admin = get_user_model().objects.create_superuser("{login}", password="{login}")
scenarios = ["orders", "invoices", "trips", "expenses"]
call_command("shop_demo", orders={orders}, trips=12, only=scenarios)

# Claims that managers have to look at, the administrator among them.
admin.groups.add(Group.objects.get(name="Managers"))
hand_in_sample()
drain()
held = Execution.objects.filter(workflow_name="approve_expense", status="waiting").last()
durable.pause(held.pk, "the receipt is being looked for", by=admin)

# Orders that wait for the evening, in a queue that is paused.
Queue.objects.create(name="evening", created_at=now())
durable.limit_queue("evening", 4, reason="the carrier takes four at once", by=admin)
durable.pause_queue("evening", reason="the carrier is on strike", by=admin)
for number in range(3):
    ProcessOrder.start({{"order": number}}, queue="evening", tags=["vip"])
ProcessOrder.start({{"order": 4}}, scheduled_at=now() + timedelta(hours=9))

# A schedule with something behind it.
when = durable.Cron("0 9 * * MON-FRI", timezone="America/New_York", name="mornings",
                    input={{"for": "New York"}}, jitter=300, disable_after=3)
schedule = durable.create_schedule("build_dashboard", when, by=admin)
durable.backfill_schedule(schedule, now() - timedelta(days=7), now(), reason="lost in the move",
                          by=admin)
drain()
durable.disable_schedule(schedule, reason="holidays", by=admin)
durable.enable_schedule(schedule, reason="back again", by=admin)

# An order that failed, was looked at, and failed again.
failed = Execution.objects.filter(error_text__contains="PaymentDeclined").first()
note = {{"note": "asked the customer for another card"}}
durable.edit_context(failed.pk, note, reason="called the customer", by=admin)
durable.retry(failed.pk, reason="the card is covered now, says the customer", by=admin)
drain()

# A second version of how a parcel goes out.
first = WorkflowDefinition.objects.filter(name="book_trip").get()
structure = values.decode(first.structure_text)
gift = {{"name": "print_tickets", "kind": "step", "doc": "On paper, for those who ask."}}
structure["nodes"].insert(2, gift)
second = WorkflowDefinition.objects.create(
    name=first.name, version=2, structure_text=values.encode(structure, "structure"),
    created_at=now(), updated_at=now(),
)

def of(name, **found):
    return str(Execution.objects.filter(workflow_name=name, **found).first().pk)

print("STAGE", json.dumps({{
    "trip": of("book_trip", status="compensated"),
    "retried": of("process_order", own_steps__attempt=2, status="completed"),
    "failed": str(failed.pk),
    "paid": str(Event.objects.filter(status="delivered").first().execution_id),
    "definition": second.pk,
    "schedule": schedule.pk,
    "asked": str(PendingInput.objects.filter(execution__status="waiting").first().pk),
}}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=60)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--python", default=sys.executable, help="the one that serves the admin")
    parser.add_argument("--only", nargs="+", default=(), help="names of pictures, all if none")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="durable-pictures-") as folder:
        environment = {**os.environ, "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3"}
        stage = set_stage(options.python, environment, options.orders)
        # A worker, so that the overview shows one that is alive.
        command = [options.python, "manage.py", "durable_worker", "--queues", "default"]
        with running(command, environment), server(options.python, environment) as address:
            photograph(address, stage, options.out, options.only)


def set_stage(python: str, environment: dict[str, str], orders: int) -> dict[str, Any]:
    """Plays the demo and what follows it; the keys of what is to be photographed."""
    said = subprocess.run(
        [python, "manage.py", "shell", "-c", STAGE.format(login=LOGIN, orders=orders)],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    told = next(line for line in said.splitlines() if line.startswith("STAGE "))
    stage: dict[str, Any] = json.loads(told.removeprefix("STAGE "))
    return stage


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """A process as long as the block."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = subprocess.Popen(command, cwd=ROOT, env=environment, **quiet)  # type: ignore[call-overload]
    try:
        yield
    finally:
        started.terminate()
        started.wait()


@contextmanager
def server(python: str, environment: dict[str, str]) -> Iterator[str]:
    """The admin on a free port of localhost."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [python, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    with running(command, environment):
        give_up = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < give_up:
            with suppress(OSError):
                urllib.request.urlopen(f"{address}/admin/login/").close()
                break
            time.sleep(0.1)
        yield address


def rerun(page: Page) -> None:
    """Up to the preview of what runs again."""
    page.select_option("select[name=node]", "charge_payment")
    page.fill("textarea[name=reason]", "the customer gave us another card")
    page.click(".submit-row input.default")


def edit(page: Page) -> None:
    """Up to the difference."""
    text = page.locator("textarea[name=context]")
    context = json.loads(text.input_value())
    context["note"] = "the card is covered again"
    text.fill(json.dumps(context))
    page.fill("textarea[name=reason]", "called the customer again")
    page.click(".submit-row input.default")


def add(page: Page) -> None:
    """Up to the preview of its times."""
    page.select_option("select[name=workflow]", "process_order")
    page.fill("input[name=name]", "nightly")
    page.fill("input[name=cron]", "30 2 * * *")
    page.fill("input[name=timezone]", "Europe/Paris")
    page.click(".submit-row input.default")


def pages(stage: dict[str, Any]) -> dict[str, tuple[str, Callable[[Page], None] | None]]:
    """Each picture's name, the page's path, and what is done there first."""
    runs = "execution/"
    trip, retried, failed, paid = (
        f"{runs}{stage[name]}" for name in ("trip", "retried", "failed", "paid")
    )
    return {
        "overview": ("overview/?period=day", None),
        "list": (runs, None),
        "run": (f"{trip}/change/", None),
        "steps": (f"{retried}/change/?tab=steps", None),
        "context": (f"{retried}/change/?tab=context&from=1&to=5", None),
        "events": (f"{paid}/change/?tab=events", None),
        "history": (f"{failed}/change/?tab=history", None),
        "rerun": (f"{failed}/rerun/", rerun),
        "edit": (f"{failed}/edit_context/", edit),
        "definition": (f"workflowdefinition/{stage['definition']}/change/?with=1", None),
        "queues": ("queue/", None),
        "schedule": (f"schedule/{stage['schedule']}/change/", None),
        "schedule-add": ("schedule/add/", add),
        "inbox": ("pendinginput/", None),
        "answer": (f"pendinginput/{stage['asked']}/change/", None),
    }


def photograph(address: str, stage: dict[str, Any], out: Path, only: Sequence[str]) -> None:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--hide-scrollbars"]
        )
        for scheme in ("light", "dark"):
            page = log_in(chromium, address, scheme)
            for name, (path, prepare) in pages(stage).items():
                if name in (only or (name,)) and (scheme == "light" or name in DARK):
                    page.goto(f"{address}/admin/durable_django/{path}")
                    if prepare is not None:
                        prepare(page)
                    picture = out / f"{name}{'-dark' if scheme == 'dark' else ''}.webp"
                    take(page, picture, is_whole=name in WHOLE)
        chromium.close()


def log_in(chromium: Browser, address: str, scheme: Any) -> Page:
    context = chromium.new_context(
        viewport={"width": WIDTH, "height": HEIGHT_MIN}, color_scheme=scheme
    )
    page = context.new_page()
    page.goto(f"{address}/admin/login/")
    page.fill("input[name=username]", LOGIN)
    page.fill("input[name=password]", LOGIN)
    page.click("input[type=submit]")
    page.wait_for_selector("#user-tools")
    # The list of all models beside the page is folded away.
    page.evaluate("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
    return page


def take(page: Page, picture: Path, *, is_whole: bool) -> None:
    """The page from its top, as far down as it goes; within reason unless ``is_whole``."""
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT_MIN})
    whole = page.evaluate("document.getElementById('content').getBoundingClientRect().bottom")
    height = max(int(whole + page.evaluate("scrollY")) + 24, HEIGHT_MIN)
    if not is_whole:
        height = min(height, HEIGHT_MAX)
    page.set_viewport_size({"width": WIDTH, "height": height})
    devtools = page.context.new_cdp_session(page)
    # Playwright's own pictures are PNG, three times as large.
    taken = devtools.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    picture.write_bytes(base64.b64decode(taken["data"]))
    print(f"{picture} {picture.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
