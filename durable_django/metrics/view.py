"""The page that a monitoring system reads.

For who knows the token of ``METRICS_TOKEN``, and for staff who may view executions; everybody else
is refused, before anything but their session is read.
"""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, HttpResponseNotAllowed
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache

from ..conf import settings
from . import CONTENT_TYPE, as_prometheus, collect

_SCHEME = "bearer "


@never_cache
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """All metrics in Prometheus' format. With ``Authorization: Bearer <METRICS_TOKEN>``, or the
    session of somebody in the staff who has the permission to view executions.

    403  neither of them
    405  not a GET or HEAD
    """
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    if not (_knows_token(request) or _may_view(request)):
        return HttpResponseForbidden("The metrics are not for you.\n", content_type="text/plain")
    return HttpResponse(as_prometheus(collect()), content_type=CONTENT_TYPE)


def _knows_token(request: HttpRequest) -> bool:
    token = settings.METRICS_TOKEN
    given = request.headers.get("Authorization", "")
    if not token or not given.lower().startswith(_SCHEME):
        return False
    # In a time that does not tell how much of it was right.
    return constant_time_compare(given[len(_SCHEME) :].strip(), token)


def _may_view(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)  # none without Django's middleware for it
    return bool(
        user is not None
        and user.is_active
        and user.is_staff
        and user.has_perm("durable_django.view_execution")
    )
