"""Plays the people of data/claims.csv: hands their claims in, and answers what is asked.

They use the same doors as everybody: `submit`, `list_pending_inputs(user)` and `provide_input`.
What was handed in by hand they leave alone.
"""

import csv
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from django.contrib.auth import get_user_model
from django.db import transaction

import durable_django as durable

from .models import Claim
from .people import DIRECTORS, MANAGERS, make_people
from .workflows import submit

SAMPLE = Path(__file__).parent / "data" / "claims.csv"
NO = "no: "


@dataclass(frozen=True)
class Sampled:
    """One row: a claim, and what the approvers say to it, by their group."""

    employee: str
    spent_on: date
    amount: Decimal
    title: str
    says: dict[str, str]


def read_sample() -> list[Sampled]:
    with SAMPLE.open(newline="", encoding="utf-8") as lines:
        return [
            Sampled(
                employee=row["employee"],
                spent_on=date.fromisoformat(row["spent_on"]),
                amount=Decimal(row["amount"]),
                title=row["title"],
                says={MANAGERS: row["manager"], DIRECTORS: row["director"]},
            )
            for row in csv.DictReader(lines)
        ]


@transaction.atomic
def hand_in_sample() -> list[Claim]:
    """Takes all claims out, and hands those of the sample in."""
    make_people()
    Claim.objects.all().delete()
    employees = {user.get_username(): user for user in get_user_model().objects.all()}
    return [
        submit(
            Claim(
                employee=employees[row.employee],
                title=row.title,
                amount=row.amount,
                spent_on=row.spent_on,
            )
        )
        for row in read_sample()
    ]


def answer_inboxes() -> None:
    """A manager and the finance director each look at what waits for them, and answer."""
    says = {row.title: row.says for row in read_sample()}
    users = get_user_model().objects
    for name, group in (("maria", MANAGERS), ("felicia", DIRECTORS)):
        user = users.get(username=name)
        for asked in durable.list_pending_inputs(user).filter(name="approval"):
            claim = Claim.objects.filter(run=asked.execution_id).first()
            if claim is None or claim.title not in says:
                continue
            value, comment = _answer(says[claim.title][group], claim)
            if value:
                try:
                    durable.provide_input(asked, value=value, by=user, comment=comment)
                except durable.InvalidState:
                    pass  # The time was up at this very moment.


def _answer(said: str, claim: Claim) -> tuple[str, str]:
    """(answer, comment); nothing for one who does not answer now."""
    if said.startswith(NO):
        return "rejected", said.removeprefix(NO)
    if said == "yes" or (said == "late yes" and claim.reminders):
        return "approved", ""
    return "", ""
