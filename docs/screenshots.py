"""Takes the pictures of the admin in docs/images: `python docs/screenshots.py`.

It runs the shop's demo on a database of its own in a temporary directory, serves the admin on
localhost and photographs it with Chromium (Debian: apt install chromium chromium-driver; Python:
selenium). `--orders`, `--all` and `--out DIRECTORY` are for looking at more of it.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).resolve().parent.parent
LOGIN = "admin"
WIDE, NARROW = (1280, 900), (400, 900)
HEIGHT_MAX = 1500
START_SECONDS_MAX = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=30)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--all", action="store_true", help="more pages, narrow ones too")
    parser.add_argument("--python", default=sys.executable, help="the one that serves the admin")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="durable-pictures-") as folder:
        environment = {**os.environ, "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3"}
        runs = fill(options.python, environment, options.orders)
        with server(options.python, environment) as address:
            photograph(address, runs, options.out, options.all)


FILL = """
from django.contrib.auth import get_user_model
from django.core.management import call_command
from durable_django.models import Execution
from example_project.shop.workflows import ProcessOrder
call_command("migrate", verbosity=0)
get_user_model().objects.create_superuser("admin", password="admin")
orders = {orders}
if orders:
    call_command("shop_demo", orders=orders)
for number in range(min(orders, 3)):
    ProcessOrder.start({{"order": number}}, queue="evening", tags=["vip"])
retried = Execution.objects.filter(own_steps__attempt=2)
failed = Execution.objects.filter(status="failed")
for found in (
    retried.filter(status="completed").first(), failed.first(),
    Execution.objects.filter(status="pending").first() or Execution.objects.first(),
):
    print("RUN", found.pk if found else "")
"""


def fill(python: str, environment: dict[str, str], orders: int) -> list[str]:
    """The ids of a run that was retried, one that failed, one that waits; "" for none."""
    said = subprocess.run(
        [python, "manage.py", "shell", "-c", FILL.format(orders=orders)],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [line[4:].strip() for line in said.splitlines() if line.startswith("RUN")]


@contextmanager
def server(python: str, environment: dict[str, str]) -> Iterator[str]:
    """The admin on a free port of localhost."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    running = subprocess.Popen(
        [python, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        give_up = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < give_up:
            with suppress(OSError):
                urllib.request.urlopen(f"{address}/admin/login/").close()
                break
            time.sleep(0.1)
        yield address
    finally:
        running.terminate()
        running.wait()


@contextmanager
def browser(dark: bool, size: tuple[int, int]) -> Iterator[webdriver.Chrome]:
    """Chromium in a light or a dark desktop."""
    options = webdriver.ChromeOptions()
    width, height = size
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--disable-gpu"):
        options.add_argument(argument)
    # Named, so that Selenium does not look for others on the network.
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        resize(driver, width, height)
        yield driver
    finally:
        driver.quit()


def resize(driver: webdriver.Chrome, width: int, height: int) -> None:
    """Chromium's window has a least width; what it shows can be narrower."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def photograph(address: str, runs: list[str], out: Path, everything: bool) -> None:
    retried, failed, pending = runs
    executions = f"{address}/admin/durable_django/execution/"
    pages = {"admin-list": executions}
    if retried or pending:
        pages["admin-run"] = f"{executions}{retried or pending}/change/"
    if everything:
        pages["app"] = f"{address}/admin/durable_django/"
        pages["definitions"] = f"{address}/admin/durable_django/workflowdefinition/"
        pages["workers"] = f"{address}/admin/durable_django/worker/"
        if failed:
            pages["failed"] = f"{executions}{failed}/change/"
        if pending:
            pages["pending"] = f"{executions}{pending}/change/"
            pages["cancel"] = f"{executions}{pending}/cancel/"
    sizes = [WIDE, NARROW] if everything else [WIDE]
    for dark in (False, True):
        for size in sizes:
            with browser(dark, size) as driver:
                log_in(driver, address)
                for name, page in pages.items():
                    narrow = "-narrow" if size is NARROW else ""
                    take(driver, page, size, out / f"{name}{'-dark' if dark else ''}{narrow}.png")


def log_in(driver: webdriver.Chrome, address: str) -> None:
    driver.get(f"{address}/admin/login/")
    driver.find_element(By.NAME, "username").send_keys(LOGIN)
    driver.find_element(By.NAME, "password").send_keys(LOGIN)
    driver.find_element(By.CSS_SELECTOR, "input[type=submit]").click()
    WebDriverWait(driver, 10).until(lambda d: d.find_elements(By.ID, "user-tools"))
    # The list of all models beside the page is folded away.
    driver.execute_script("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")


def take(driver: webdriver.Chrome, page: str, size: tuple[int, int], picture: Path) -> None:
    """The page from its top, as far down as it goes, within reason."""
    width, height = size
    resize(driver, width, height)
    driver.get(page)
    whole = driver.execute_script("return document.getElementById('content').scrollHeight + 180")
    resize(driver, width, min(max(whole, 400), HEIGHT_MAX))
    driver.save_screenshot(str(picture))
    print(picture)


if __name__ == "__main__":
    main()
