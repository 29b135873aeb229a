"""Who may only look: everything can be read, and nothing is offered nor done, on any page."""

from html.parser import HTMLParser

import pytest

from tests.admin.test_permissions_matrix import NEEDS, PAGES, World, everything
from tests.admin.urls import NOBODY, VIEWS, Page

pytestmark = pytest.mark.usefixtures("isolated")


@pytest.fixture(params=PAGES, ids=str)
def page(request):
    return request.param


@pytest.fixture
def world(db):
    return World()


class Offers(HTMLParser):
    """What a page offers to be done: the addresses that its links lead to, and its forms that are
    sent by POST with what they would send."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[tuple[str, list[str]]] = []
        self._form: list[str] | None = None
        self._is_elsewhere = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        elif tag == "form":
            self._form = []
            if (found.get("method") or "get").lower() == "post":
                self.forms.append((found.get("id") or "", self._form))
        elif tag == "select":
            self._is_elsewhere = "form" in found
        elif self._form is not None and tag in ("button", "input", "option", "textarea"):
            if "form" in found or (tag == "option" and self._is_elsewhere):
                return  # it belongs to a form that stands elsewhere
            kind = found.get("type") or ("submit" if tag == "button" else "text")
            if tag == "option":
                self._form.append(f"option {found.get('value')}")
            elif kind not in ("hidden", "button"):  # that of a script sends nothing
                self._form.append(f"{kind} {found.get('name') or ''}".strip())

    def handle_endtag(self, tag):
        if tag == "form":
            self._form = None


# What the list of executions sends: which are ticked, for the export.
TICKED = {"checkbox _selected_action", "checkbox", "option ", "option export_selected"}
TICKED |= {"submit index", "checkbox action-toggle"}
# Django's, and no business of ours.
DJANGOS = {"logout-form"}


def test_who_may_only_look_is_offered_nothing(staff, world, page):
    client = staff(*VIEWS.values())
    if NEEDS[page.name] is NOBODY or not NEEDS[page.name] <= set(VIEWS.values()):
        return
    addresses = [world.address(page)]
    if page.name == "durable_django_execution_change":
        tabs = ("graph", "steps", "context", "events", "history")
        runs = (world.run, world.waiting, world.paused)
        addresses = [f"{page.address(run.pk)}?tab={tab}" for tab in tabs for run in runs]
    for address in addresses:
        response = client.get(address)
        if response.streaming:
            continue
        offers = Offers(response.content.decode())
        asked = [p.address("ID").partition("ID") for p in PAGES if _does_something(p)]
        for link in offers.links:
            path = link.partition("?")[0]
            hits = [b + a for b, _id, a in asked if a and path.startswith(b) and path.endswith(a)]
            hits += [b for b, _id, a in asked if not a and path == b]
            assert hits == [], link
        for name, fields in offers.forms:
            if name not in DJANGOS:
                assert set(fields) <= TICKED, (address, name, fields)


def _does_something(page: Page) -> bool:
    needed = NEEDS[page.name]
    return needed is not NOBODY and not needed <= set(VIEWS.values())


def test_who_may_only_look_changes_nothing_by_a_post(staff, world, page):
    client = staff(*VIEWS.values())
    before = everything()
    more = (
        {},
        {"action": "cancel_selected", "_selected_action": [str(world.run.pk)], "index": "0"},
        {"action": "delete_selected", "_selected_action": [str(world.run.pk)], "index": "0"},
        {"action": "resume_selected", "select_across": "1", "_selected_action": ["x"]},
    )
    for data in more:
        response = client.post(world.address(page), {**world.data(), **data})
        assert response.status_code < 500
    assert everything() == before
