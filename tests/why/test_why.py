"""Why, asked of real runs: what is read, in how few queries, and what it comes to."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db.models import F

from durable_django import (
    Retry,
    Workflow,
    api_queues,
    call_workflow,
    foreach,
    parallel,
    sleep_for,
    start,
    step,
    wait_for_approval,
    wait_for_callback,
    wait_for_event,
)
from durable_django.api import cancel, get_execution
from durable_django.api_events import send_event
from durable_django.api_pausing import pause
from durable_django.models import Execution, Worker
from durable_django.store import clock, leases
from durable_django.store.claiming import claim
from durable_django.why import read_facts, why
from tests.store.rows import make_worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(db):
    """A living worker that serves the default queue."""
    return make_worker("host")


def codes(run):
    return [reason.code for reason in why(get_execution(run))]


def first(run):
    return why(get_execution(run))[0]


def later(**length):
    clock.advance(timedelta(**length))
    Worker.objects.filter(status="alive").update(heartbeat_at=clock.now())


def make_plain():
    class Plain(Workflow):
        @step
        def only(self):
            return 1

    return Plain


def test_a_run_that_nobody_serves_says_so_until_somebody_does(durable):
    run = make_plain().start()
    assert codes(run) == ["no_worker"]
    worker = make_worker()
    assert codes(run) == ["ready"]
    Worker.objects.filter(pk=worker).update(queues=["other"])
    assert first(run).detail == {"queue": "default", "alive": 1}
    leases.stop(worker)
    assert first(run).detail == {"queue": "default", "alive": 0}


def test_a_worker_that_does_not_beat_any_more_serves_nothing(durable, worker):
    run = make_plain().start()
    clock.advance(timedelta(minutes=5))
    assert codes(run) == ["no_worker"]


def test_a_paused_queue_names_who_paused_it(durable, worker):
    run = make_plain().start()
    user = get_user_model().objects.create_user("ada")
    api_queues.pause_queue("default", reason="first", by=user)
    api_queues.resume_queue("default", by="bo")
    api_queues.pause_queue("default", reason="again", by=user)
    reason = first(run)
    assert (reason.code, reason.verb) == ("queue_paused", "resume_queue")
    assert "ada" in reason.text
    assert reason.text.endswith("again")
    api_queues.resume_queue("default")
    assert codes(run) == ["ready"]


def test_a_full_queue_counts_what_is_held(durable, worker):
    plain = make_plain()
    held, run = plain.start(), plain.start()
    claim(worker, ["default"], 1)
    api_queues.limit_queue("default", 2)
    assert codes(run) == ["ready"]
    api_queues.limit_queue("default", 1)
    assert first(run).detail == {"queue": "default", "held": 1, "limit": 1}
    assert codes(held) == ["held"]


def test_a_run_that_is_held_follows_its_worker_to_its_end(durable, worker):
    run = make_plain().start()
    claim(worker, ["default"], 1)
    assert "host:1" in first(run).text
    successor = make_worker("other")
    Worker.objects.filter(pk=worker).update(heartbeat_at=F("heartbeat_at") - timedelta(hours=1))
    assert codes(run) == ["worker_overdue"]
    assert leases.declare_dead(worker)
    assert codes(run) == ["worker_gone"]
    leases.take_back(successor)
    assert codes(run) == ["suspect"]
    claim(successor, ["default"], 1)
    assert codes(run) == ["held", "suspect"]
    Worker.objects.all().delete()
    assert codes(run) == ["worker_gone"]


def test_a_run_that_is_scheduled_waits_for_its_time(durable, worker):
    moment = clock.now() + timedelta(hours=1)
    run = start(make_plain(), scheduled_at=moment)
    assert first(run).until == moment
    assert codes(run) == ["scheduled"]
    later(hours=2)
    assert codes(run) == ["due"]


def test_a_retry_tells_the_attempt_that_failed(durable, worker):
    class Charging(Workflow):
        @step(retry=Retry(3, backoff="constant", base=60))
        def charge(self):
            raise LookupError("no card")

    run = durable.run(Charging)
    reason = first(run)
    assert (reason.code, reason.until) == ("next_retry", run.wake_at)
    assert reason.detail == {"node": "charge", "attempt": 1, "type": "LookupError"}
    later(minutes=2)
    durable.drain()
    later(minutes=2)
    durable.drain()
    assert codes(run) == ["failed"]
    assert first(run).detail == {"type": "LookupError", "node": "charge"}


def test_a_run_without_its_code_is_told_as_one(durable, worker):
    run = make_plain().start()
    Execution.objects.filter(pk=run.pk).update(workflow_name="shop.Gone", version=3)
    assert codes(run) == ["code_missing"]
    durable.drain()
    reason = first(run)
    assert (reason.code, reason.detail) == ("code_missing", {"workflow": "shop.Gone", "version": 3})
    assert reason.until == get_execution(run).wake_at


def test_a_version_that_no_worker_of_its_queue_has_is_told_before_one_takes_it(durable, worker):
    run = make_plain().start()
    named = f"{run.workflow_name} v1"
    Worker.objects.update(workflows=["shop.Other v1"])
    assert codes(run) == ["code_missing"]
    newer = make_worker()
    Worker.objects.filter(pk=newer).update(workflows=[named], queues=["other"])
    assert codes(run) == ["code_missing"]
    Worker.objects.filter(pk=newer).update(queues=["other", "default"])
    assert codes(run) == ["ready"]


def make_waiting():
    class Called(Workflow):
        class Meta:
            name = "called"

        paid = wait_for_event("paid")

    class Waiting(Workflow):
        with parallel() as all_of_them:
            pause = sleep_for(60)
            payment = wait_for_event("payment", key="inv_1", timeout=3600)
            manager = wait_for_approval(prompt="?", assignee=None, timeout=60, timeout_value="no")
            bank = wait_for_callback()
            child = call_workflow("called")

    return Called, Waiting


def test_everything_that_a_run_waits_for_is_told(durable, worker, settings):
    settings.DURABLE = {**settings.DURABLE, "BASE_URL": "https://shop.example"}
    _, waiting = make_waiting()
    run = durable.run(waiting)
    found = {reason.code: reason for reason in why(get_execution(run))}
    assert {"sleeping", "waits_for_event", "waits_for_input", "waits_for_callback"} <= set(found)
    assert found["waits_for_event"].detail["key"] == "inv_1"
    assert found["waits_for_input"].detail["node"] == "manager"
    assert found["members"].detail == {
        "fork": "all_of_them",
        "remaining": 5,
        "failures": 0,
        "statuses": {"sleeping": 1, "waiting": 4},
    }
    child = get_execution(found["waits_for_call"].detail["child"])
    assert child.workflow_name == "called"
    assert "That run is waiting." in found["waits_for_call"].text


def test_a_strand_tells_only_what_it_waits_for_itself(durable, worker):
    class Sending(Workflow):
        with foreach(lambda self: [1, 2, 3], concurrency=2) as sending:

            @step
            def send(self):
                self.wait_for_event("bounced", key=str(self.item))

    run = durable.run(Sending)
    members = list(Execution.objects.filter(parent=run).order_by("id"))
    assert [reason.detail.get("key") for reason in why(members[0])] == ["1"]
    assert [[reason.code for reason in why(row)] for row in members[1:]] == [
        ["waits_for_event"],
        ["turn"],
    ]
    found = why(get_execution(run))
    assert found[0].detail["fork"] == "sending"
    assert [reason.detail["key"] for reason in found[1:]] == ["1", "2"]


def test_a_paused_run_tells_who_paused_it_and_first_that_it_will_be(durable, worker):
    plain = make_plain()
    held, ready = plain.start(), plain.start()
    claim(worker, ["default"], 1)
    for run in (held, ready):
        pause(run, "look at it", by="ada")
    assert codes(held) == ["held", "pausing"]
    assert codes(ready) == ["paused"]
    for run in (held, ready):
        told = why(get_execution(run))[-1]
        assert told.verb == "resume"
        assert "ada" in told.text
        assert "look at it" in told.text


def test_a_member_of_a_paused_run_tells_who_paused_the_run(durable, worker):
    class Sending(Workflow):
        with foreach(lambda self: [1]) as sending:

            @step
            def send(self):
                self.wait_for_event("bounced")

    run = durable.run(Sending)
    pause(run, by="ada")
    (member,) = Execution.objects.filter(parent=run)
    assert [reason.code for reason in why(member)] == ["paused", "waits_for_event"]
    assert "ada" in why(member)[0].text


def test_a_run_whose_next_node_is_gone_may_go_on_elsewhere(durable, worker):
    class Changing(Workflow):
        @step
        def first(self):
            self.wait_for_event("on")

    run = durable.run(Changing)

    class Changing(Workflow):  # the code after a deploy
        @step
        def other(self):
            return 1

    send_event(run, "on")
    durable.drain()
    assert first(run).code == "definition_changed"
    assert first(run).verb == "retry"


def test_a_cancelled_run_tells_who_cancelled_it(durable, worker):
    run = make_plain().start()
    cancel(run, "enough")
    assert codes(run) == ["cancelled"]
    assert "enough" in first(run).text


def test_a_completed_run_has_nothing_to_explain(durable, worker):
    assert codes(durable.run(make_plain())) == []


def test_a_run_that_was_undone_can_be_run_again(durable, worker):
    class Booking(Workflow):
        @step
        def book(self):
            return 1

        @book.compensate
        def unbook(self):
            return 2

        @step
        def pay(self):
            raise LookupError("no card")

    run = durable.run(Booking)
    assert run.status == "compensated"
    assert codes(run) == ["compensated"]
    assert "“pay” with LookupError" in first(run).text


def test_a_compensation_that_is_retried_tells_when(durable, worker):
    class Booking(Workflow):
        @step
        def book(self):
            return 1

        @book.compensate(retry=Retry(2, backoff="constant", base=60))
        def unbook(self):
            raise LookupError("no line")

        @step
        def pay(self):
            raise RuntimeError

    run = durable.run(Booking)
    assert run.status == "compensating"
    assert codes(run) == ["compensating", "next_retry"]
    later(minutes=2)
    durable.drain()
    assert codes(run) == ["compensation_failed"]


# How it is read


class Members(Workflow):
    """Pauses its own queue, so that its members are ready and nobody takes them."""

    class Meta:
        abstract = True

    @step
    def close(self):
        api_queues.pause_queue("default", reason="why not", by="ada")

    with parallel() as both:
        paid = wait_for_event("paid")

        @step
        def first(self):
            return 1


def test_members_that_are_ready_in_a_paused_queue_are_told(durable, worker):
    class Closing(Members):
        pass

    run = durable.run(Closing)
    assert codes(run) == ["members", "queue_paused"]
    assert first(run).detail["statuses"] == {"pending": 2}


def test_no_more_than_five_queries_are_made_whatever_holds_a_run_back(
    durable, worker, django_assert_max_num_queries
):
    class Closing(Members):
        pass

    run, ready = durable.run(Closing), make_plain().start()
    claim(worker, ["default"], 1, gates={})
    for change in (api_queues.resume_queue, lambda name: api_queues.limit_queue(name, 1)):
        for each in (get_execution(run), get_execution(ready)):
            clock.now()
            with django_assert_max_num_queries(5):
                assert why(each)
        change("default")
    assert codes(run)[:2] == ["members", "queue_full"]


def test_the_time_may_be_given(durable, worker):
    moment = clock.now() + timedelta(hours=1)
    run = start(make_plain(), scheduled_at=moment)
    assert [reason.code for reason in why(run, now=moment)][-1] == "due"
    assert read_facts(run, now=moment).now == moment


def test_of_ten_thousand_members_that_wait_only_some_are_read(durable, worker):
    class Sending(Workflow):
        with foreach(lambda self: range(60)) as sending:

            @step
            def send(self):
                self.wait_for_event("bounced")

    run = durable.run(Sending)
    facts = read_facts(get_execution(run))
    assert len(facts.waits) == 20
    assert [(member.status, member.count) for member in facts.members] == [("waiting", 60)]
    assert codes(run) == ["members", "waits_for_event"]
