"""What the demo prints about the claims: who agreed to what, and whether that adds up. It only
reads.
"""

from collections.abc import Iterator

import durable_django as durable
from durable_django.models import Wait
from example_project.shop.report import Batch, attempts_of

from .models import Claim
from .workflows import who_has_to_agree


def summary(batch: Batch) -> Iterator[str]:
    """The table of what became of the claims, line by line."""
    yield from batch.lines("approve_expense")
    for claim in Claim.objects.select_related("employee"):
        who = f"by {claim.decided_by}" if claim.decided_by else ""
        reminded = f"  reminders: {claim.reminders}" if claim.reminders else ""
        yield (
            f"  {claim.employee.get_username():<6}{claim.amount:>9,.2f}  {claim.title:<32}"
            f"{claim.status:<9} {who:<11}{claim.reason}{reminded}".rstrip()
        )


def mistakes(batch: Batch) -> Iterator[str]:
    """What must never be seen: a claim that is not what the answers to it make of it."""
    for claim in Claim.objects.all():
        needed = len(who_has_to_agree(claim.amount))
        answers = _answers(claim)
        given = [answer.value for answer in answers if answer.status == "completed"]
        agreed = given == ["approved"] * needed
        if claim.status != (Claim.Status.APPROVED if agreed else Claim.Status.REJECTED):
            yield f"{claim} is {claim.status}, and was answered {given} by {needed} approvers"
        late = [answer for answer in answers if answer.status == "timed_out"]
        refused = given.count("rejected") + len(late)
        if not agreed and refused != 1:
            yield f"{claim} was rejected by {refused} people"
        if late and not claim.reminders:
            yield f"nobody was reminded of {claim}"


def timeline(batch: Batch) -> Iterator[str]:
    """The attempts of one claim that took two approvers and a reminder, line by line."""
    claims = Claim.objects.filter(run__isnull=False).order_by("-status", "-reminders", "-amount")
    approved = claims.filter(status=Claim.Status.APPROVED, decided_by="felicia")
    claim = approved.first() or claims.first()
    if claim is not None and claim.run is not None:
        yield from attempts_of(durable.get_execution(claim.run), str(claim))


def _answers(claim: Claim) -> list[Wait]:
    """What the approvers said to a claim, in the order they were asked."""
    return list(Wait.objects.filter(execution=claim.run, kind="input").order_by("id"))
