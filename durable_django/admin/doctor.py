"""The doctor's page: what is stuck, stale, stranded or misconfigured, and buttons for what is safe.

Findings are told of all runs, so that who sees only some of them does not see it. Each fix is a
POST that takes a permission of its own; the finding is looked for again before anything is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.translation import gettext, ngettext

from .. import doctor
from ..doctor import ERROR, INFO, WARNING, Finding, Place
from ..showing.visible import visible
from . import badges
from .beside import BesideOverview
from .charts import grouped
from .overview_links import Links

LOOKS: Final = {ERROR: "failed", WARNING: "overdue", INFO: "scheduled"}
# Whose pages these places have; of others only the name is told.
LINKED: Final = {"execution": "execution", "queue": "queue"}


@dataclass(frozen=True)
class Told:
    """A finding as the page has it. ``fix`` is "" where there is none, ``may_fix`` whether this
    person may do it; ``places`` are texts with addresses, which may be ""."""

    key: str
    badge: str
    title: str
    what: str
    todo: str
    places: list[tuple[str, str]]
    more: bool
    fix: str
    may_fix: bool


class DoctorPage(BesideOverview):
    """The page ``doctor/``, beside the overview."""

    doctor_template = "admin/durable_django/overview/doctor.html"

    def doctor_urls(self) -> list[URLPattern]:
        """The address of the page."""
        return [self.url_beside("doctor", self.doctor_view)]

    def doctor_address(self, request: HttpRequest) -> str:
        """Where the page is; "" for who may not see it."""
        return self.address_beside(request, "doctor")

    def doctor_view(self, request: HttpRequest) -> HttpResponse:
        """Tells what was found (GET), fixes one of it (POST)."""
        address = self.doctor_address(request)
        if not address:
            raise PermissionDenied
        found = doctor.examine()
        if request.method == "POST":
            self._fix(request, found)
            return HttpResponseRedirect(address)
        return self.drawn_beside(
            request,
            self.doctor_template,
            gettext("Doctor"),
            findings=[self._told(request, finding) for finding in found],
            address=address,
        )

    def _fix(self, request: HttpRequest, found: list[Finding]) -> None:
        key = request.POST.get("finding", "")
        finding = next((each for each in found if each.key == key and each.fix), None)
        if finding is None or finding.fix is None:
            said = gettext("Nothing was changed: that is well now.")
            self.message_user(request, said, messages.INFO)
            return
        if not request.user.has_perm(finding.fix.permission):
            raise PermissionDenied
        number = doctor.fix(finding, by=request.user)
        said = ngettext("%(n)s was fixed: %(title)s.", "%(n)s were fixed: %(title)s.", number)
        level = messages.SUCCESS if number else messages.WARNING
        told = said % {"n": grouped(number), "title": visible(finding.title)}
        self.message_user(request, told, level)

    def _told(self, request: HttpRequest, finding: Finding) -> Told:
        fix = finding.fix
        links = Links(self.admin_site, request)
        return Told(
            key=finding.key,
            badge=badges.badge(LOOKS[finding.severity], _severity(finding.severity)),
            title=visible(finding.title),
            what=visible(finding.what),
            todo=visible(finding.todo),
            places=[(visible(place.id), _address(links, place)) for place in finding.where],
            more=finding.number.number > len(finding.where),
            fix=fix.text if fix else "",
            may_fix=fix is not None and request.user.has_perm(fix.permission),
        )


def _address(links: Links, place: Place) -> str:
    model = LINKED.get(place.kind)
    return links.page(model, place.id) if model else ""


def _severity(severity: str) -> str:
    if severity == ERROR:
        return gettext("error")
    return gettext("warning") if severity == WARNING else gettext("good to know")
