"""The test kit with workflows that wait: bodies run alone, time moved, events sent."""

from __future__ import annotations

import pytest

from durable_django import Answer, WaitTimeout, Workflow, step
from durable_django.testing import run_step


def test_a_step_alone_is_given_what_its_waits_give(durable):
    class Talk(Workflow):
        @step
        def talk(self):
            token = self.once("token", lambda: "t")
            try:
                self.wait_for_event("first")
            except WaitTimeout:
                pass
            return [token, self.wait_for_event("second"), self.answers["manager"].by]

    answers = {"manager": Answer("approved", by="anna")}
    given = [WaitTimeout("late"), {"n": 1}]
    output, _ = run_step(Talk.talk, waits=given, answers=answers)
    assert output == ["t", {"n": 1}, "anna"]
    with pytest.raises(AssertionError, match=r"comes to wait_for_event\('first'\)"):
        run_step(Talk.talk)
