"""What a run that is run again has of the one before, and what it has not: waits, events, called
workflows, jumps, edits."""

from datetime import timedelta

import pytest

import durable_django as durable_api
from durable_django import (
    Workflow,
    call_workflow,
    days,
    decision,
    foreach,
    hours,
    loop,
    sleep_for,
    step,
    wait_for_event,
)
from durable_django.models import AuditEntry, Event, Execution, StepRun, Wait
from durable_django.testing import advance, drain, run

pytestmark = pytest.mark.usefixtures("durable")


def again(execution, node, **options):
    """The rerun, driven to where it ends or parks."""
    made = durable_api.rerun_from(execution, node, **options)
    drain()
    return durable_api.get_execution(made)


def forget(execution):
    """The whole tree, as retention takes it away."""
    tree = list(Execution.objects.filter(root_id=execution.root_id).values_list("id", flat=True))
    for model in (StepRun, Wait, Event, AuditEntry):
        model.objects.filter(execution_id__in=tree).delete()
    Execution.objects.filter(id__in=tree).delete()


def paths_of(execution):
    return list(execution.steps.order_by("id").values_list("path", flat=True))


# Waits and events


def paying():
    class Paying(Workflow):
        paid = wait_for_event("paid", timeout=days(7))

        @step
        def note(self):
            return self.outputs["paid"]

        shipped = wait_for_event("shipped", timeout=days(7))

    return Paying


def test_the_events_of_kept_waits_are_kept_and_those_after_are_awaited_anew():
    first = run(paying())
    durable_api.send_event(first, "paid", {"sum": 5}, idempotency_key="once")
    durable_api.send_event(first, "shipped", "today")
    drain()
    made = again(first, "shipped")
    assert made.status == "waiting"
    assert made.outputs["note"] == {"sum": 5}
    (event,) = Event.objects.filter(execution=made)
    (wait,) = Wait.objects.filter(execution=made, node="paid")
    assert (event.name, event.status, event.wait_id) == ("paid", "delivered", wait.pk)
    assert wait.events_text == f"[{event.pk}]"
    # It has got that one already.
    assert durable_api.send_event(made, "paid", {}, idempotency_key="once").pk == event.pk
    durable_api.send_event(made, "shipped", "tomorrow")
    drain()
    made.refresh_from_db()
    assert made.result == "tomorrow"


def test_an_event_that_is_published_for_long_does_not_come_twice_to_a_kept_wait():
    class Twice(Workflow):
        one = wait_for_event("news", timeout=days(7))
        two = wait_for_event("news", timeout=days(7))

    durable_api.publish_event("news", payload=1, keep=days(1))
    first = run(Twice)
    durable_api.send_event(first, "news", 2)
    drain()
    made = again(first, "two")
    assert (made.status, made.outputs["one"]) == ("waiting", 1)


def test_a_wait_that_is_run_again_has_its_whole_time_again():
    class Napping(Workflow):
        class Meta:
            timeout = hours(3)

        pause = sleep_for(hours(2))

        @step
        def end(self):
            return "slept"

    first = run(Napping)
    advance(hours(2))
    drain()
    made = again(first, "pause")
    assert made.status == "sleeping"
    assert made.timeout_at == made.created_at + timedelta(hours=3)
    advance(hours(2))
    drain()
    made.refresh_from_db()
    assert made.result == "slept"


def test_what_a_step_did_once_it_does_again_when_it_is_run_again():
    done = []

    class Once(Workflow):
        @step
        def first(self):
            return self.once("key", done.append, 1)

        @step
        def second(self):
            self.once("key", done.append, 2)
            return self.idempotency_key

    before = run(Once)
    made = again(before, "second")
    assert done == [1, 2, 2]
    assert made.result == f"{made.pk}:second"
    assert Wait.objects.filter(execution=made, kind="once").count() == 2


# Called workflows


def test_what_a_called_workflow_gave_outlives_it_even_where_it_stood_in_its_members():
    class Child(Workflow):
        with foreach(lambda self: range(3), on_error="collect") as each:

            @step
            def double(self):
                if self.index == 2:
                    raise ValueError("two many")
                return [self.index * 2]

    class Calling(Workflow):
        given = call_workflow(Child)

        @step
        def end(self):
            return [str(each) for each in self.outputs["given"]]

    first = run(Calling)
    assert first.status == "completed"
    made = durable_api.rerun_from(first, "end")
    assert not durable_api.list_children(made).exists()
    forget(first)
    drain()
    made.refresh_from_db()
    assert made.result == ["[0]", "[2]", "MemberFailure(type='ValueError', message='two many')"]
    (wait,) = Wait.objects.filter(execution=made)
    assert wait.value[:2] == [[0], [2]]


def test_a_called_run_that_is_run_again_is_a_run_of_its_own():
    class Child(Workflow):
        with foreach(lambda self: range(2)) as each:

            @step
            def double(self):
                return self.index * 2

        @step
        def end(self):
            return list(self.outputs["each"])

    class Calling(Workflow):
        given = call_workflow(Child)

    first = run(Calling)
    (child,) = durable_api.list_children(first)
    made = again(child, "end")
    assert (made.result, made.parent_id, made.root_id, made.depth) == ([0, 2], None, made.pk, 0)
    strands = Execution.objects.filter(parent=made)
    assert set(strands.values_list("root_id", "depth")) == {(made.pk, 1)}
    # Nobody is told that it ended.
    assert not Event.objects.filter(key=made.pk.hex).exists()


def test_a_workflow_is_called_again_by_a_node_that_is_run_again():
    class Child(Workflow):
        @step
        def end(self):
            return 1

    class Calling(Workflow):
        given = call_workflow(Child)

    first = run(Calling)
    made = again(first, "given")
    assert made.result == 1
    assert durable_api.list_children(made).count() == 1


# Jumps


def routes(visits):
    class Routes(Workflow):
        @step
        def ask(self):
            self.context.increment("asked")

        with loop(until=lambda self: True) as turn:

            @step
            def count(self):
                return self.context["asked"]

        @decision(to=["ask"], max_visits=3)
        def enough(self):
            return "ask" if self.context["asked"] < visits[0] else None

        @step
        def end(self):
            return self.context["asked"]

    return Routes


def test_the_last_visit_counts_and_those_before_stand():
    visits = [2]
    first = run(routes(visits))
    assert durable_api.nodes_to_rerun_from(first) == ["ask", "turn", "enough", "end"]
    seen = durable_api.preview_rerun(first, "turn")
    assert seen.kept == ("ask", "turn", "enough", "ask#2")
    made = again(first, "turn")
    assert paths_of(made) == paths_of(first)
    assert made.result == 2
    assert made.outputs["count"] == 2


def test_visits_that_are_kept_count_for_the_limit_of_a_jump():
    visits = [3]
    first = run(routes(visits))
    assert first.result == 3
    visits[0] = 4
    made = again(first, "enough")
    assert (made.status, made.error["type"]) == ("failed", "LoopLimitExceeded")


# What people have changed


def test_the_context_is_as_people_had_changed_it_by_then():
    class Billing(Workflow):
        @step
        def one(self):
            self.context["sum"] = 1
            self.context["gone"] = True

        paid = wait_for_event("paid")

        @step
        def two(self):
            self.context.increment("sum")

        more = wait_for_event("more")

        @step
        def end(self):
            return dict(self.context)

    first = run(Billing)
    durable_api.edit_context(first, {"sum": 10}, remove=["gone"])
    durable_api.send_event(first, "paid")
    drain()
    durable_api.edit_context(first, {"sum": 20})
    durable_api.send_event(first, "more")
    drain()
    first.refresh_from_db()
    assert first.result == {"sum": 20}
    assert durable_api.preview_rerun(first, "one").context == {}
    assert durable_api.preview_rerun(first, "paid").context == {"sum": 10}
    assert durable_api.preview_rerun(first, "two").context == {"sum": 10}
    assert durable_api.preview_rerun(first, "more").context == {"sum": 20}
    made = again(first, "end")
    assert made.result == {"sum": 20}
    assert durable_api.preview_rerun(made, "two").context == {"sum": 10}


def test_what_people_changed_for_a_node_that_failed_stands_when_that_is_run_again():
    class Failing(Workflow):
        @step
        def one(self):
            self.context["to"] = "nobody"

        @step
        def two(self):
            if self.context["to"] == "nobody":
                raise ValueError("to whom?")
            self.context.increment("sent")
            return self.context["to"]

    first = run(Failing)
    durable_api.edit_context(first, {"to": "ada"})
    assert again(durable_api.cancel(durable_api.retry(first)), "two").result == "ada"
    durable_api.retry(first)
    drain()
    made = again(first, "two")
    assert (made.result, made.context) == ("ada", {"to": "ada", "sent": 1})
    assert durable_api.preview_rerun(made, "two").context == {"to": "ada"}
    assert again(first, "one").status == "failed"


def test_a_node_that_was_skipped_stays_skipped():
    class Skipped(Workflow):
        @step
        def bad(self):
            raise ValueError("no")

        @step
        def end(self):
            return self.outputs["bad"]

    first = run(Skipped)
    durable_api.skip(first, "by hand")
    drain()
    made = again(first, "end")
    assert made.result == "by hand"
    assert [row.status for row in made.steps] == ["failed", "skipped", "completed"]
    assert again(first, "bad").status == "failed"


def test_a_run_that_was_let_go_on_elsewhere_keeps_its_last_visit():
    wrong = [True]

    class Elsewhere(Workflow):
        @step
        def one(self):
            self.context.increment("one")

        @step
        def two(self):
            if wrong:
                raise ValueError("not yet")
            return self.context["one"]

    first = run(Elsewhere)
    wrong.clear()
    durable_api.retry(first, node="one")
    drain()
    first.refresh_from_db()
    assert first.result == 2
    made = again(first, "two")
    assert made.result == 2
    assert again(first, "one").result == 2
    assert paths_of(made) == paths_of(first)
