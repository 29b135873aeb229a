"""Workflows that the tests of the terminal look at. Made anew for each test: see the fixtures."""

from __future__ import annotations

from typing import Any

from durable_django import Retry, Workflow, days, foreach, sleep_for, step, wait_for_approval

HOSTILE = "\x1b[31mred\x1b[0m \u202egnp.exe \x07\x9b2J"


def make_order() -> Any:
    """Logs, tries twice, and has a card number to hide."""

    class Order(Workflow):
        class Meta:
            name = "order"
            sensitive = ["card"]

        @step
        def check(self):
            self.logger.info("card %s of %s", self.input.get("card"), self.input.get("who"))
            self.context["card"] = self.input.get("card")
            return {"ok": True}

        @step(retry=Retry(2, backoff="constant", base=0))
        def charge(self):
            if self.attempt == 1:
                raise ConnectionError("no route")
            return "ch_1"

    return Order


def make_hostile() -> Any:
    """Says in every place what a terminal must not hear."""

    class Hostile(Workflow):
        class Meta:
            name = "hostile"

        @step
        def shout(self):
            self.logger.error(HOSTILE)
            self.context["text"] = HOSTILE
            return {HOSTILE: HOSTILE}

        asked = wait_for_approval(prompt=HOSTILE)

        @step
        def fail(self):
            raise ValueError(HOSTILE)

    return Hostile


def make_mailing() -> Any:
    """A member each, and a nap."""

    class Mailing(Workflow):
        class Meta:
            name = "mailing"

        with foreach("people") as sending:

            @step
            def send(self):
                return f"to {self.item}"

        nap = sleep_for(days(2))

        @step
        def report(self):
            return len(self.outputs["sending"])

        @classmethod
        def clean_input(cls, input):
            return input

    return Mailing


def make_claim() -> Any:
    """Waits for a person."""

    class Claim(Workflow):
        class Meta:
            name = "claim"
            sensitive = ["account"]

        @step
        def read(self):
            self.context["account"] = self.input.get("account", "")
            self.context["said"] = f"Pay {self.input.get('account', '')}?"

        approval = wait_for_approval(prompt="{said}", assignee="group:Managers", timeout=days(3))

    return Claim
