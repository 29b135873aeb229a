"""A browser for the tests: Chromium on the admin as it is served, under a strict policy.

A page fails its test if it breaks the policy, says an error, opens a dialog or gets an answer of
500: whatever runs hold is text. It moves no run and knows no page. Needs Chromium (Debian:
chromium) and Playwright.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django.live_server_helper import LiveServer

# Says so in a dialog if it is ever executed, which fails the test, whatever the policy is.
EVIL = "</script><script>alert('pwned')</script><img src=x onerror=\"alert('pwned')\">"
# Long enough for a busy machine, and never waited for where all is well.
PATIENCE_MS = 20_000
NARROW, WIDE, WIDEST = 400, 1280, 2560
HEIGHT = 900

# Django's own header, menu and search field are not for us to mend.
OURS = {"include": [["#content"]], "exclude": [["#changelist-search"]]}
SERIOUS = frozenset({"serious", "critical"})

OVER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
UNFOLD = "document.querySelectorAll('details').forEach((fold) => { fold.open = true })"
# Where the focus is, can it be seen? An outline, a shadow, or (in a graph) a frame of its own.
FOCUS_IS_SEEN = """() => {
    const at = document.activeElement, style = getComputedStyle(at);
    return style.outlineStyle !== 'none' || style.boxShadow !== 'none'
        || at.matches('.durable-graph a, input, textarea, select');
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for a module. Playwright keeps an event loop in this thread while it runs, so it
    must not run through tests of other modules, and Django has to be told that it may query."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as running:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        found = running.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield found
        found.close()


@pytest.fixture
def server(transactional_db: None, settings: Any) -> Iterator[LiveServer]:
    """The admin, served with a strict policy."""
    settings.MIDDLEWARE = ["tests.admin.strict_policy.strict_policy", *settings.MIDDLEWARE]
    settings.ALLOWED_HOSTS = ["localhost"]
    running = LiveServer("localhost")
    yield running
    running.stop()


@pytest.fixture
def open_page(server: LiveServer, chromium: Any) -> Iterator[Callable[..., Any]]:
    """`open_page("view_execution", width=400, scheme="dark")`: a page of somebody with just these
    permissions; of the superuser `admin` if none are named. `is_strict=False` lets axe in, which
    sets styles, and lets whatever a page holds be executed if it can be."""
    contexts: list[Any] = []
    faults: list[str] = []

    def make(
        *codenames: str,
        width: int = WIDE,
        scheme: str = "light",
        is_strict: bool = True,
        has_scripts: bool = True,
        language: str = "en",
    ) -> Any:
        context = chromium.new_context(
            viewport={"width": width, "height": HEIGHT},
            color_scheme=scheme,
            locale=language,
            base_url=server.url,
            bypass_csp=not is_strict,
            java_script_enabled=has_scripts,
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.add_cookies([_login(codenames, server.url)])
        context.on("page", lambda page: _watch(page, faults))
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def page(open_page: Callable[..., Any]) -> Any:
    """A page of a superuser."""
    return open_page()


def _login(codenames: tuple[str, ...], url: str) -> Any:
    client = Client()
    client.force_login(_person(codenames))
    return {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": url}


def _person(codenames: tuple[str, ...]) -> User:
    name = "-".join(codenames)[:100] or "admin"
    found = User.objects.filter(username=name).first()
    if found is not None:
        return found
    if not codenames:
        return User.objects.create_superuser(name)
    user = User.objects.create_user(name, is_staff=True)
    rows = Permission.objects.filter(content_type__app_label="durable_django")
    found_rows = rows.filter(codename__in=codenames)
    assert len(found_rows) == len(set(codenames))
    user.user_permissions.set(found_rows)
    return user


def _watch(page: Any, faults: list[str]) -> None:
    """Notes what no page may do."""

    def said(message: Any) -> None:
        # That an answer was an error is told by the answer.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            faults.append(f"{page.url} said {message.text}")

    def answered(response: Any) -> None:
        is_lost = response.status == 404 and "/static/" in response.url
        if is_lost or response.status == 500:
            faults.append(f"{response.url} answered {response.status}")

    def asked(dialog: Any) -> None:
        faults.append(f"{page.url} opened a dialog: {dialog.message}")
        dialog.dismiss()

    page.on("console", said)
    page.on("pageerror", lambda error: faults.append(f"{page.url} failed with {error}"))
    page.on("response", answered)
    page.on("dialog", asked)


def opened(page: Any, address: str) -> Any:
    """The page at an address, with all that folds unfolded."""
    assert page.goto(address).status == 200, address
    page.evaluate(UNFOLD)
    return page


def over(page: Any) -> int:
    """By how many pixels the page is wider than its window."""
    return int(page.evaluate(OVER))


def serious_faults(page: Any) -> list[str]:
    """What axe finds in our part of the page that keeps people out."""
    from axe_playwright_python.sync_playwright import Axe

    page.locator("#content").wait_for(state="attached")  # of a page that is still on its way
    found = Axe().run(page, context=OURS).response["violations"]
    return [
        f"{fault['id']}: {fault['nodes'][0]['html']}"
        for fault in found
        if fault["impact"] in SERIOUS
    ]


def press(target: Any, key: str = "Enter") -> None:
    """Presses a key on what is focused for it, where one must be able to see the focus."""
    target.focus()
    assert target.page.evaluate(FOCUS_IS_SEEN), target
    target.press(key)
