"""Telling people by mail that a run waits for them: a receiver that a project may connect.

    from durable_django.notifications import tell_assignee
    from durable_django.signals import input_requested

    input_requested.connect(tell_assignee)

It only reads and sends. What goes wrong is logged: a run waits just as well untold.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.contrib import auth
from django.core import mail
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse

from .conf import settings

if TYPE_CHECKING:
    from .models import PendingInput

SUBJECT_LENGTH_MAX: Final = 200
SUBJECT: Final = "durable_django/input_requested_subject.txt"
BODY: Final = "durable_django/input_requested_body.txt"

logger = logging.getLogger(__name__)


def tell_assignee(
    sender: str, *, pending_input_id: int, assignee_kind: str, assignee: str, **rest: Any
) -> None:
    """Mails those who are asked, one mail for each: the user, the active users in the group, or
    those who have the permission. What is assigned to nobody is told to nobody.

    The mail leads to the form in the admin, by the setting ``BASE_URL``; without that it has no
    link. A project replaces ``durable_django/input_requested_subject.txt`` and ``…_body.txt``; they
    get ``pending_input``, ``prompt``, ``workflow``, ``due_at``, ``link`` and ``user``.

    The mails are sent before the worker goes on. A project whose mail server is slow connects a
    receiver that hands this on to somebody else.
    """
    try:
        people = people_asked(assignee_kind, assignee)
        pending_input = _pending_input(pending_input_id) if people else None
        if pending_input is not None:
            _send(_messages(sender, pending_input, people))
    except Exception:
        logger.exception("%s: nobody was told of the input %s", sender, pending_input_id)


def _send(messages: Iterable[mail.EmailMessage]) -> None:
    """All over one connection; one that is refused does not keep the others from theirs."""
    mailers: Any = getattr(mail, "mailers", None)  # from Django 6.1
    with mail.get_connection() if mailers is None else mailers.default as connection:
        for message in messages:
            try:
                connection.send_messages([message])
            except Exception:
                logger.exception("%s could not be told", ", ".join(message.to))


def people_asked(assignee_kind: str, assignee: str) -> list[Any]:
    """The active users that an input is assigned to and that have a mail address, each address
    once."""
    users = auth.get_user_model()._default_manager
    found: Iterable[Any] = ()
    if assignee_kind == "user":
        found = users.filter(**{users.model.USERNAME_FIELD: assignee})
    elif assignee_kind == "group":
        found = users.filter(groups__name=assignee)
    elif assignee_kind == "permission":
        found = _with_permission(assignee)
    by_address = {_address(user).casefold(): user for user in found if user.is_active}
    return [user for address, user in sorted(by_address.items()) if address]


def _with_permission(permission: str) -> Iterable[Any]:
    """As far as the project's authentication backends can tell."""
    for backend in auth.get_backends():
        if hasattr(backend, "with_perm"):
            yield from backend.with_perm(permission)


def _address(user: Any) -> str:
    return str(getattr(user, user.get_email_field_name(), "") or "")


def _pending_input(pk: int) -> PendingInput | None:
    """None when it was answered meanwhile."""
    from .models import PendingInput

    return PendingInput.objects.using(settings.DATABASE).filter(pk=pk).first()


def _messages(
    workflow: str, pending_input: PendingInput, people: Iterable[Any]
) -> list[mail.EmailMessage]:
    context = {
        "pending_input": pending_input,
        "prompt": _prompt(pending_input),
        "workflow": workflow,
        "due_at": pending_input.due_at,
        "link": link_to(pending_input),
    }
    messages = []
    for user in people:
        told = {**context, "user": user}
        # One line, whatever the prompt holds.
        subject = " ".join(render_to_string(SUBJECT, told).split())[:SUBJECT_LENGTH_MAX]
        messages.append(
            mail.EmailMessage(subject, render_to_string(BODY, told), to=[_address(user)])
        )
    return messages


def _prompt(pending_input: PendingInput) -> str:
    """Masked as in the admin, which knows how; without it only what the input is called."""
    if not apps.is_installed("django.contrib.admin"):
        return pending_input.name
    from .showing.prompts import prompts

    return prompts([pending_input])[pending_input.pk]


def link_to(pending_input: PendingInput) -> str:
    """The address of its form in the admin; "" without ``BASE_URL`` or without an admin."""
    if not settings.BASE_URL:
        return ""
    try:
        path = reverse("admin:durable_django_pendinginput_change", args=[pending_input.pk])
    except NoReverseMatch:
        return ""
    return f"{settings.BASE_URL.rstrip('/')}{path}"
