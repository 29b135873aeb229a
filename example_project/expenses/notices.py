"""The mails to approvers: durable_django's own when they are asked, ours when they are reminded.

Both lead to the form in the admin.
"""

from typing import Any
from uuid import UUID

from django.core.mail import send_mail

import durable_django as durable
from durable_django.notifications import link_to, people_asked, tell_assignee

WORKFLOW = "approve_expense"


def tell_approvers(sender: str, **told: Any) -> None:
    """A receiver of `input_requested`, for claims only."""
    if sender == WORKFLOW:
        tell_assignee(sender, **told)


def remind_approvers(run: UUID) -> None:
    """Mails those whom the run still waits for."""
    for asked in durable.list_pending_inputs().filter(execution=run):
        people = people_asked(asked.assignee_kind, asked.assignee)
        for person in people:
            send_mail(
                "Somebody is still waiting for you",
                f"{asked.prompt}\n\n{link_to(asked)}",
                None,
                [person.email],
            )
