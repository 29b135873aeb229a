"""`self.answers`: who gave what so far, as the steps of a run, and of its members, see it."""

from datetime import timedelta

import pytest

from durable_django.definition.answers import Answer
from durable_django.models import Wait
from durable_django.models.ids import uuid7
from durable_django.store import clock
from durable_django.store.answers import Answers

from .rows import make_run

pytestmark = pytest.mark.django_db


def asked(run, node="manager", member_id=None, **fields):
    """An input that somebody gave, unless `status` says something else."""
    now = clock.now()
    plain = {"path": f"{node}/{uuid7().hex}", "node": node, "name": node, "kind": "input"}
    given = {"status": "completed", "created_at": now, "answered_at": now, "value_text": '"yes"'}
    member_id = member_id or run.pk
    return Wait.objects.create(execution=run, member_id=member_id, **{**plain, **given, **fields})


def test_an_answer_tells_what_by_whom_when_and_why():
    run, other = make_run(), make_run()
    wait = asked(run, answered_by="anna", comment="fine")
    asked(other, "director")
    answers = Answers(run.pk, run.pk)
    assert answers["manager"] == Answer("yes", "anna", "fine", wait.answered_at)
    assert answers["manager"].timed_out is False
    assert (list(answers), len(answers), "director" in answers) == (["manager"], 1, False)


def test_what_code_answered_is_by_nobody():
    run = make_run()
    asked(run)
    assert Answers(run.pk, run.pk)["manager"].by is None


def test_one_that_timed_out_says_so():
    run = make_run()
    wait = asked(run, status="timed_out", answered_at=None, resolved_at=clock.now())
    plain = Answers(run.pk, run.pk)["manager"]
    assert (plain.value, plain.timed_out, plain.at) == (None, True, wait.resolved_at)
    Wait.objects.update(timeout_text='"rejected"')
    assert Answers(run.pk, run.pk)["manager"].value == "rejected"


@pytest.mark.parametrize("status", ["open", "answered", "cancelled", "failed"])
def test_what_is_awaited_or_was_given_up_is_no_answer(status):
    run = make_run()
    asked(run, status=status)
    answers = Answers(run.pk, run.pk)
    assert (len(answers), list(answers)) == (0, [])
    with pytest.raises(KeyError, match="nobody was asked for 'manager', or the answer is still"):
        answers["manager"]


def test_other_waits_are_no_answers():
    run = make_run()
    asked(run, kind="event")
    asked(run, "talk", kind="once", position=1)
    assert list(Answers(run.pk, run.pk)) == []


def test_of_several_visits_the_last_counts():
    run = make_run()
    for number in (1, 2):
        asked(run, path=f"ask[{number}]/manager", value_text=f"{number}")
    assert Answers(run.pk, run.pk)["manager"].value == 2
    assert len(Answers(run.pk, run.pk)) == 1


def test_a_member_sees_its_own_before_those_of_the_run_and_of_others():
    run, mine, theirs = make_run(), uuid7(), uuid7()
    asked(run, value_text='"mine"', member_id=mine)
    asked(run, value_text='"the run"')
    asked(run, value_text='"theirs"', member_id=theirs)
    assert Answers(run.pk, mine)["manager"].value == "mine"
    assert Answers(run.pk, uuid7())["manager"].value == "the run"
    assert Answers(run.pk, run.pk)["manager"].value == "the run"


def test_after_a_block_the_run_sees_what_was_given_in_it():
    run = make_run()
    asked(run, member_id=uuid7())
    assert Answers(run.pk, run.pk)["manager"].value == "yes"


def test_an_answer_given_in_a_step_goes_by_the_name_it_was_asked_under():
    run = make_run()
    asked(run, "talk", name="budget", position=1)
    asked(run, "talk", name="reason", position=2, value_text='"because"')
    answers = Answers(run.pk, run.pk)
    assert list(answers) == ["budget", "reason"]
    assert answers["reason"].value == "because"
    assert "talk" not in answers


def test_a_declared_one_goes_by_its_node_and_by_its_name():
    run = make_run()
    asked(run, name="approval.manager")
    answers = Answers(run.pk, run.pk)
    assert list(answers) == ["manager"]
    assert answers["manager"] == answers["approval.manager"]


def test_each_look_sees_what_is_there_now():
    run = make_run()
    answers = Answers(run.pk, run.pk)
    assert "manager" not in answers
    wait = asked(run)
    assert "manager" in answers
    later = wait.answered_at + timedelta(seconds=1)
    asked(run, "manager", value_text='"no"', answered_at=later)
    assert answers["manager"].value == "no"
