"""Callbacks: the signed, expiring URL at which an outside system answers ``wait_for_callback``.

The token in it says for which run, wait and visit it was made, and when. Signed by Django's own
signing, so keys rotate by ``SECRET_KEY_FALLBACKS``; what is signed can be read by who has the URL.
No row stands behind it: reading a token asks no database.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple
from uuid import UUID

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signing import BadSignature, SignatureExpired, Signer
from django.urls import NoReverseMatch, get_script_prefix, reverse

from .conf import settings
from .definition.durations import to_seconds
from .store import clock

VIEW: Final = "durable_django:callback"
INCLUDE: Final = 'path("durable/", include("durable_django.urls"))'

_SALT: Final = "durable_django.callbacks"
_KEY_LENGTH_MAX: Final = 255


class Callback(NamedTuple):
    """For whom a URL was made.

    ``name``   of the ``wait_for_callback``
    ``path``   of the visit that asked for the URL
    ``scope``  the item of a foreach that it lies in, as the beginning of all paths in it, or ""
    """

    run_id: UUID
    name: str
    path: str = ""
    scope: str = ""

    @property
    def idempotency_key(self) -> str:
        """Equal for all URLs of one visit and name: whatever is posted to them counts once."""
        key = f"callback:{self.name}:{self.path}"
        if len(key) <= _KEY_LENGTH_MAX:
            return key
        return f"callback:{hashlib.sha256(key.encode()).hexdigest()}"


def make_url(run_id: UUID, name: str, path: str = "", scope: str = "") -> str:
    """The URL an outside system POSTs its JSON to, good for ``CALLBACK_MAX_AGE``.

    ``BASE_URL`` is the address of this project, with the path below which it is served, if there
    is one. ImproperlyConfigured where it is not set or the URLs of durable_django are not included.
    """
    base = settings.BASE_URL
    if not base:
        raise ImproperlyConfigured(
            'DURABLE["BASE_URL"] is not set, so nobody could be told where to call back; like '
            '"https://shop.example"'
        )
    found = path_of(make_token(Callback(run_id, name, path, scope)))
    if found is None:
        raise ImproperlyConfigured(
            "the URLs of durable_django are not included, so nobody could call back; add "
            f"{INCLUDE} to the urlpatterns of the project's ROOT_URLCONF"
        )
    # A web request knows the path below which the project is served, a worker does not.
    return f"{base.rstrip('/')}/{found.removeprefix(get_script_prefix()).lstrip('/')}"


def path_of(token: str) -> str | None:
    """The path of the view for a token; None where the project does not include our URLs."""
    if not getattr(django_settings, "ROOT_URLCONF", None):
        return None
    try:
        return reverse(VIEW, args=[token])
    except NoReverseMatch:
        return None


def make_token(callback: Callback) -> str:
    """The token of a URL made now. Only ASCII letters, digits, "-", "_" and ":" stand in it."""
    # The time is the database's, not that of a worker's host as a TimestampSigner would write it.
    # Not compressed: that is marked by a leading dot, and web servers are told to hide such paths.
    made_at = int(clock.known().timestamp())
    told = [callback.run_id.hex, callback.name, callback.path, callback.scope, made_at]
    return _signer().sign_object(told)


def read_token(token: str) -> Callback:
    """What a token says. BadSignature, of Django's signing, for one that was not signed here;
    SignatureExpired, a kind of it, for one older than ``CALLBACK_MAX_AGE``."""
    if not token.isascii():
        raise BadSignature("a token is ASCII")
    run_hex, name, path, scope, made_at = _signer().unsign_object(token)
    age_max = to_seconds(settings.CALLBACK_MAX_AGE, "CALLBACK_MAX_AGE")
    if clock.known().timestamp() - made_at > age_max:
        raise SignatureExpired(f"the token is older than {age_max:g} seconds")
    return Callback(UUID(hex=run_hex), name, path, scope)


def _signer() -> Signer:
    return Signer(salt=_SALT)
