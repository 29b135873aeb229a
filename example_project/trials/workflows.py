"""What happens during a trial: little, and days apart.

A customer joins without the run being told: it looks when it wakes up.
"""

from functools import partial
from typing import TypedDict

from django.core.mail import send_mail
from django.db import transaction

import durable_django as durable
from durable_django import Workflow, branch, sleep_for, sleep_until, step
from example_project.days import days, next_business_morning

from .models import Trial


class TrialInput(TypedDict):
    trial: int


class RemindOfTrial(Workflow):
    """Reminds a customer before the trial ends, and ends it; not that of one who has joined."""

    input: TrialInput

    class Meta:
        name = "remind_of_trial"

    @step
    def welcome(self) -> None:
        self._mail("Welcome to the record club", "All records are yours for two weeks.")

    first_days = sleep_for(days(10))
    # Asked when the ten days are over: nobody is written to on a Sunday.
    morning = sleep_until(lambda self: next_business_morning())

    @step
    def has_joined(self) -> bool:
        return self._trial().status == Trial.Status.JOINED

    with branch(on=has_joined) as outcome:
        with outcome.case(True):

            @step
            def thank(self) -> None:
                self._mail("You have joined the record club", "That was a good idea.")

        with outcome.default():

            @step(atomic=True)
            def remind(self) -> None:
                Trial.objects.filter(pk=self.input["trial"]).update(was_reminded=True)
                mail = partial(self._mail, "Your trial is about to end", "Join to go on listening.")
                transaction.on_commit(mail, robust=True)

            last_days = sleep_for(days(4))

            @step(atomic=True)
            def end(self) -> None:
                """One UPDATE that tests and sets: who joins at this moment has joined."""
                trials = Trial.objects.filter(pk=self.input["trial"])
                trials.filter(status=Trial.Status.RUNNING).update(status=Trial.Status.ENDED)

    @step
    def result(self) -> str:
        return self._trial().status

    def _trial(self) -> Trial:
        return Trial.objects.select_related("customer").get(pk=self.input["trial"])

    def _mail(self, subject: str, text: str) -> None:
        send_mail(subject, text, None, [self._trial().customer.email])


def begin(trial: Trial) -> Trial:
    """Saves a trial and starts the run that looks after it, both or neither."""
    with transaction.atomic():
        trial.save()
        trial.run = durable.start(RemindOfTrial, {"trial": trial.pk}).pk
        trial.save(update_fields=["run"])
    return trial


def join(trial: Trial) -> None:
    """The customer joins, as long as the trial runs."""
    trials = Trial.objects.filter(pk=trial.pk, status=Trial.Status.RUNNING)
    trials.update(status=Trial.Status.JOINED)
