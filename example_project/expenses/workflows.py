"""How a claim is approved: by nobody, by a manager, or by a manager and the finance director.

The people who are asked answer in the admin, under "Pending inputs", or wherever the project calls
`durable_django.provide_input`. As long as they think it over the run is a row, and nothing else.
"""

from decimal import Decimal
from functools import partial
from typing import Any, TypedDict

from django.core.mail import send_mail
from django.db import transaction
from django.db.models import F

import durable_django as durable
from durable_django import Workflow, branch, loop, race, sleep_for, step, wait_for_approval
from example_project.days import days

from .models import Claim
from .notices import remind_approvers

MANAGERS = "group:Managers"
FINANCE_DIRECTOR = "expenses.approve_large_claim"  # whoever has this permission

# In dollars.
APPROVED_AT_ONCE_MAX = Decimal(50)
APPROVED_BY_MANAGER_MAX = Decimal(1000)


class ClaimInput(TypedDict):
    claim: int


def who_has_to_agree(amount: Decimal) -> list[str]:
    """The approvers that a claim of so many dollars needs, in the order they are asked."""
    if amount <= APPROVED_AT_ONCE_MAX:
        return []
    return [MANAGERS] if amount <= APPROVED_BY_MANAGER_MAX else [MANAGERS, FINANCE_DIRECTOR]


def who_is_next(run: Any) -> str:
    first: str = run.context["to_ask"][0]
    return first


def always(run: Any) -> bool:
    """For a loop that is ended by the race it takes part in."""
    return True


class ApproveExpense(Workflow):
    """Asks one approver after the other until all agreed, or one did not."""

    input: ClaimInput

    class Meta:
        name = "approve_expense"

    @step
    def read_claim(self) -> None:
        claim = Claim.objects.select_related("employee").get(pk=self.input["claim"])
        self.context["employee"] = claim.employee.get_username()
        self.context["email"] = claim.employee.email
        self.context["title"] = claim.title
        self.context["amount"] = claim.amount
        self.context["to_ask"] = who_has_to_agree(claim.amount)

    with loop(while_="to_ask") as asking:
        # One request, which stays the same while its reminders go out. The loop cannot win this
        # race, for it does not end; it loses when somebody has answered, or nobody in a week.
        with race() as hearing:
            approval = wait_for_approval(
                prompt="{employee} claims {amount:.2f} dollars: {title}. Approve?",
                assignee=who_is_next,
                timeout=days(7),
                timeout_value="rejected",
            )
            with loop(while_=always) as reminding:
                patience = sleep_for(days(2))

                @step(atomic=True)
                def remind(self) -> None:
                    """Counted with the checkpoint; the mail leaves after the commit."""
                    claims = Claim.objects.filter(pk=self.input["claim"])
                    claims.update(reminders=F("reminders") + 1)
                    transaction.on_commit(partial(remind_approvers, self.execution_id), robust=True)

        @step
        def take_answer(self) -> None:
            """After a yes the next one is asked; after a no, or silence, nobody is."""
            answer = self.answers["approval"]
            self.context["decided_by"] = answer.by
            if answer.value == "approved":
                self.context["to_ask"] = self.context["to_ask"][1:]
            else:
                self.context["to_ask"] = []
                said = "Nobody answered in time." if answer.timed_out else answer.comment
                self.context["reason"] = said or "No reason was given."

    @step(atomic=True)
    def decide(self) -> str:
        rejected = "reason" in self.context
        status = Claim.Status.REJECTED if rejected else Claim.Status.APPROVED
        Claim.objects.filter(pk=self.input["claim"]).update(
            status=status,
            reason=self.context.get("reason", ""),
            decided_by=self.context.get("decided_by") or "",
        )
        return status

    with branch(on=decide) as outcome:
        with outcome.case("approved"):

            @step
            def tell_of_money(self) -> str:
                self._mail("You get your money", "It comes with your next salary.")
                return "approved"

        with outcome.default():

            @step
            def tell_why(self) -> str:
                """What the approver wrote beside the answer is for the employee to read."""
                who = self.context["decided_by"] or "nobody"
                self._mail("Your claim was rejected", f"{who}: {self.context['reason']}")
                return "rejected"

    def _mail(self, subject: str, news: str) -> None:
        text = f"{self.context['title']}, {self.context['amount']} dollars.\n\n{news}"
        send_mail(subject, text, None, [self.context["email"]])


def submit(claim: Claim) -> Claim:
    """Saves a claim and starts the run that gets it approved, both or neither."""
    with transaction.atomic():
        claim.save()
        claim.run = durable.start(ApproveExpense, {"claim": claim.pk}).pk
        claim.save(update_fields=["run"])
    return claim
