"""Random nested workflows that an operator pauses, skips, edits, cancels and retries in any order:
what they give in the end is what a plain interpreter gives, and each act is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import durable_django as durable_api
from durable_django import InvalidState
from durable_django.definition import registry
from durable_django.engine.values import encode
from durable_django.models import AuditEntry, Execution, Wait
from durable_django.testing import advance, isolate_registry, reset
from durable_django.worker.inline import InlineDriver
from tests.engine.reckoning import Reckoning
from tests.engine.shapes import drawn, trees
from tests.engine.test_strands import seeds
from tests.examples import examples

from .test_random_strands import ROUNDS_MAX, Actor, plain, winners_of

pytestmark = pytest.mark.django_db

ACTS_MAX = 25
FINAL = {"completed", "failed", "compensated", "compensation_failed", "cancelled"}


class Operator(Actor):
    """Plays the bodies, and somebody who does to the run whatever comes to his mind, between the
    steps and in the midst of them."""

    def __init__(self, workflow, seed, order, fails, verbs):
        super().__init__(workflow, seed, order, fails)
        self.verbs = verbs
        self.told = []
        self.skipped, self.edits = set(), {}
        played = self.effect
        self.is_lucky = False
        self.effect = lambda path: self._effect(played(path), path)

    def _effect(self, effect, path):
        if path in self.skipped:
            effect = effect._replace(changes=())
        return effect._replace(fails=False) if self.is_lucky else effect

    def __call__(self, attempt, body):
        self.meddle(attempt.run.run_id, ("pause", "resume", "cancel"), 0.05)
        outcome = super().__call__(attempt, body)
        self.meddle(attempt.run.run_id, ("pause", "resume", "cancel"), 0.05)
        return outcome

    def meddle(self, run_id, verbs, chance):
        possible = [verb for verb in verbs if verb in self.verbs]
        if possible and len(self.told) < ACTS_MAX and self.random.random() < chance:
            self.act(run_id, self.random.choice(possible))

    def act(self, run_id, verb):
        """One act, which is legal in the state the run is in, or refused and changes nothing."""
        before = durable_api.get_execution(run_id)
        try:
            getattr(self, f"_{verb}")(before)
        except InvalidState:
            assert not self._is_legal(verb, before), f"{verb} of {before.status} was refused"
            after = durable_api.get_execution(run_id)
            assert (after.status, after.lease) == (before.status, before.lease)
        else:
            assert self._is_legal(verb, before), f"{verb} of {before.status} was done"
            self.told.append(verb)

    def _is_legal(self, verb, run):
        if verb == "pause":
            return run.status not in FINAL | {"compensating"} and run.paused_at is None
        if verb == "resume":
            return run.paused_at is not None
        if verb == "cancel":
            return run.status not in FINAL | {"compensating"}
        if verb == "edit_context":
            members = run.members().filter(kind="strand", parent=run, finished_at=None)
            legal = run.status not in {"running", "completed", "compensating"}
            return legal and not members.exists()
        return run.status in ({"failed"} if verb.startswith("skip") else {"failed", "cancelled"})

    def _pause(self, run):
        durable_api.pause(run, by="somebody")

    def _resume(self, run):
        durable_api.resume(run, by="somebody")

    def _cancel(self, run):
        durable_api.cancel(run, by="somebody")

    def _retry(self, run):
        durable_api.retry(run, by="somebody")

    def _edit_context(self, run):
        # Keys of their own, so that what is edited is told apart from what the steps did.
        key = f"edited_{self.random.randrange(3)}"
        if key in run.context and self.random.random() < 0.5:
            durable_api.edit_context(run, remove=[key], by="somebody")
            self.edits.pop(key)
        else:
            value = self.random.choice([None, "", [], {"a": [1]}, 2**70, "\u2028</script>"])
            durable_api.edit_context(run, {key: value}, by="somebody")
            self.edits[key] = value

    def _skip(self, run):
        """With what it would have given, had it not failed."""
        paths = [path for path in durable_api.nodes_to_skip(run) if self._is_plain(path)]
        if run.status == "failed" and not paths:
            raise InvalidState("only blocks could be skipped", status="")
        path = paths[0] if paths else "n0"
        durable_api.skip(run, self.effect(path).output, node=path, by="somebody")
        self.skipped.add(path)

    def _skip_block(self, run):
        """Whatever stands there, with what may be chosen there."""
        if run.status != "failed":
            raise InvalidState("it has not failed", status=run.status)
        path = self.random.choice(durable_api.nodes_to_skip(run))
        shape = self.workflow.nodes[name_of(path)]
        value = {"branch": None, "decision": None, "loop": False}.get(shape.kind, path)
        durable_api.skip(run, value, node=path, by="somebody")

    def _elsewhere(self, run):
        """On at any node there is, where it goes on with what it has."""
        found = durable_api.nodes_to_go_on_at(run)
        node = self.random.choice(found) if found else "n0"
        durable_api.retry(run, node=node, by="somebody")

    def _forget(self, run):
        durable_api.retry(run, forget_waits=True, by="somebody")

    def _is_plain(self, path):
        return self.workflow.nodes[name_of(path)].kind in ("step", "retried", "wait")


def name_of(path):
    return path.rpartition("/")[2].partition("#")[0].partition("[")[0]


def check_rows(run):
    """What holds of the rows whenever nobody drives them."""
    rows = list(Execution.objects.filter(root=run))
    assert all(row.worker_id is None for row in rows)
    for row in rows:
        if row.is_final:
            assert (row.paused_at, row.due_at, row.wake_at, row.held_back) == (
                *(None, None, None),
                False,
            )
            continue
        assert (row.status == "paused") == (run.paused_at is not None)
        assert row.paused_at == run.paused_at
        below = [each for each in rows if each.parent_id == row.pk and not each.is_final]
        waits = Wait.objects.filter(member=row, resolved_at=None)
        told = (row.status, row.remaining, len(below))
        if row.remaining:
            assert below, told
            assert row.status in ("waiting", "paused"), told
        elif row.status == "waiting":
            assert row.held_back or waits.exists(), told
        assert row.status != "pending", "everything ready was driven"
        assert not run.is_final, "nothing of a run that is over goes on"
    # A block that is skipped as a whole has the path of its choice, or test, that is through.
    done = [
        row.path
        for row in run.steps.filter(status__in=("completed", "skipped"))
        if row.status == "completed" or row.kind in ("step", "event", "decision")
    ]
    assert len(set(done)) == len(done), "a visit was through twice"


def driven(run, actor):
    InlineDriver(actor, is_strict=False).drain()
    run.refresh_from_db()
    check_rows(run)


def run_to_its_end(actor):
    run = durable_api.start(actor.workflow.definition.workflow)
    for _ in range(ROUNDS_MAX):
        actor.meddle(run.pk, actor.verbs, 0.7)
        driven(run, actor)
        if len(actor.told) >= ACTS_MAX:
            actor.is_lucky = True
        if run.status == "completed":
            return run
        if run.is_final:
            actor.act(run.pk, actor.random.choice([v for v in actor.verbs if v != "cancel"]))
        elif not actor.answers(run):
            advance(10)
        run.refresh_from_db()
        if run.paused_at and len(actor.told) >= ACTS_MAX:
            actor.act(run.pk, "resume")
    raise AssertionError(f"it does not come to an end: {run.status}, {actor.told}")


ELSEWHERE = ("elsewhere", "skip_block", "forget")
VERBS = ("pause", "resume", "cancel", "retry", "edit_context", "skip")


def check(workflow, seed, order, fails, verbs=VERBS):
    actor = Operator(workflow, seed, order, fails, verbs)
    with isolate_registry():
        registry.register(workflow.definition.workflow)
        try:
            run = run_to_its_end(actor)
        finally:
            reset()
    told = AuditEntry.objects.filter(execution=run).order_by("id")
    names = {"skip_block": "skip", "elsewhere": "retry", "forget": "retry"}
    assert list(told.values_list("verb", flat=True)) == [names.get(v, v) for v in actor.told]
    assert not Execution.objects.filter(root=run, finished_at=None).exists()
    assert not Wait.objects.filter(execution=run, resolved_at=None).exists()
    return run, actor


@examples(25)
@given(trees(on_errors=("fail_fast",)), seeds, seeds, st.sampled_from([0, 1]))
def test_whatever_is_done_to_a_run_it_gives_what_the_plan_says(tree, seed, order, max_retries):
    run, actor = check(drawn(tree, max_retries), seed, order, fails=0.2)
    actor.is_lucky = True
    reckoning = Reckoning(actor.workflow, actor.effect, winners_of(run))
    assert not reckoning.failed
    assert plain(run.result) == reckoning.result
    assert {name: plain(given) for name, given in run.outputs.items()} == reckoning.scope.own
    assert run.context == reckoning.scope.context | actor.edits
    for entry in AuditEntry.objects.filter(execution=run):
        assert entry.by == "somebody"
        encode(entry.detail, "detail")


@examples(25)
@given(trees(), seeds, seeds, st.sampled_from([0, 0, 1]))
def test_whatever_is_done_to_a_run_no_visit_is_made_twice_and_it_ends(
    tree, seed, order, max_retries
):
    run, _ = check(drawn(tree, max_retries), seed, order, 0.3, (*VERBS, *ELSEWHERE))
    assert run.status == "completed"
