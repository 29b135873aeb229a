"""The view behind ``self.callback_url(name)``: takes JSON from an outside system, tells nothing.

A signature is all that admits a request; before it is found right, nothing is read or asked of the
database. Whoever has an authentic URL learns neither whether the run exists nor how it stands.
"""

from __future__ import annotations

import codecs
import json

from django.contrib.auth.decorators import login_not_required
from django.core.signing import BadSignature
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from .callbacks import read_token
from .conf import settings
from .engine import values
from .exceptions import NotSerializable, PayloadTooLarge
from .models import EventKind
from .store import sending

CHARSETS = ("utf-8", "ascii")
REASON_LENGTH_MAX = 200


class _Refusal(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@csrf_exempt
@never_cache
@login_not_required
def callback(request: HttpRequest, token: str) -> JsonResponse:
    """POST of any JSON document, as ``application/json`` in UTF-8; it is the output of the wait.

    202  accepted: also a repeat, and for a run that has ended or is gone; nothing is written then
    400  no JSON, or a value that cannot be stored (NUL, NaN, nesting over 100); an empty body is no
         JSON, for an answer that got lost on its way must not count as one: who means null says so
    404  the signature is wrong, or the URL is older than ``CALLBACK_MAX_AGE``
    405  not a POST
    413  larger than ``MAX_PAYLOAD_BYTES``
    415  another content type, or another charset than UTF-8
    """
    try:
        if request.method != "POST":
            raise _Refusal(405, "use POST")
        try:
            called = read_token(token)
        except BadSignature:
            raise _Refusal(404, "there is no such callback") from None
        payload_text = _payload_text(request)
    except _Refusal as refusal:
        headers = {"Allow": "POST"} if refusal.status == 405 else None
        return JsonResponse({"error": refusal.reason}, status=refusal.status, headers=headers)
    sending.send(
        called.run_id,
        called.name,
        payload_text,
        kind=EventKind.CALLBACK,
        scope=called.scope,
        idempotency_key=called.idempotency_key,
    )
    return JsonResponse({"status": "accepted"}, status=202)


def _payload_text(request: HttpRequest) -> str:
    """The body as an encoded value: plain data, whatever its keys look like."""
    _check_content_type(request)
    limit = settings.MAX_PAYLOAD_BYTES
    body = _read_body(request, limit)
    try:
        return values.encode(json.loads(body.decode("utf-8-sig")), "payload", limit=limit)
    except PayloadTooLarge as error:
        raise _too_large(error.limit) from None
    except NotSerializable as error:
        raise _Refusal(400, str(error)[:REASON_LENGTH_MAX]) from None
    except (ValueError, RecursionError):
        raise _Refusal(400, "the body is no JSON document") from None


def _check_content_type(request: HttpRequest) -> None:
    charset = (request.content_params or {}).get("charset", "utf-8")
    try:
        fits = codecs.lookup(charset).name in CHARSETS
    except (LookupError, ValueError):
        fits = False
    if request.content_type != "application/json" or not fits:
        raise _Refusal(415, "send application/json in UTF-8")


def _read_body(request: HttpRequest, limit: int) -> bytes:
    """Never more than a byte over the limit is read. Not ``request.body``: that has a limit of its
    own, for forms."""
    announced = _announced_bytes(request)
    if announced is not None and announced > limit:
        raise _too_large(limit)
    try:
        body = request.read(limit + 1)
    except OSError:
        raise _Refusal(400, "the body could not be read") from None
    if len(body) > limit:
        raise _too_large(limit)
    if announced is not None and len(body) != announced:
        # What is left of a number that lost its last digits is JSON, too.
        raise _Refusal(400, "the body is not as long as announced")
    return bytes(body)


def _announced_bytes(request: HttpRequest) -> int | None:
    try:
        return int(request.META.get("CONTENT_LENGTH") or "")
    except ValueError:
        return None


def _too_large(limit: int) -> _Refusal:
    return _Refusal(413, f"the body is larger than {limit:,} bytes")
