"""What strands have from their parent: read once per fork, and of every level above."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.models import Execution
from durable_django.store import inheriting as module
from durable_django.store.checkpoint import write_wave
from durable_django.store.claiming import claim
from durable_django.store.inheriting import forget, inherited_by, item_of

from .forks import claim_strands, fork_of, forked
from .rows import held, make_worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(db):
    return make_worker()


def queries_of(call):
    with CaptureQueriesContext(connection) as found:
        call()
    return len(found)


def test_a_strand_has_the_input_and_the_state_of_its_parent(worker):
    run = forked(worker, 2)
    first, second = claim_strands(worker, run.id, 2)
    assert first.inherited is second.inherited, "one for all strands of a fork"
    inherited = first.inherited
    assert (inherited.run_id, inherited.above) == (run.id, (run.id,))
    assert inherited.input_text == "{}"
    assert inherited.state.context == {"n": "1"}
    assert inherited.state.next_path == "each[]"
    assert (first.input_text, first.parent_id) == ('"item 0"', run.id)


def test_a_parent_is_read_once_for_all_its_strands(worker):
    run = forked(worker, 4, 1)
    keys = [(run.id, f"each[{n}]") for n in range(4)]
    assert queries_of(lambda: inherited_by(keys[:2])) == 1
    assert queries_of(lambda: inherited_by(keys)) == 0
    forget([run.id])
    assert queries_of(lambda: inherited_by(keys)) == 1


def test_parents_are_read_together(worker):
    runs = [held(worker) for _ in range(3)]
    write_wave(worker, [fork_of(run, 1) for run in runs])
    keys = [(run.id, "each[0]") for run in runs]
    assert queries_of(lambda: inherited_by(keys)) == 1
    found = inherited_by(keys)
    assert {pk: found[pk, "each"].run_id for pk, _ in keys} == {run.id: run.id for run in runs}


def test_what_is_kept_is_bounded(worker, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 2)
    runs = []
    for _ in range(4):
        run = forked(worker, 1)
        claim_strands(worker, run.id, 1)
        runs.append(run)
    assert len(module._kept) <= 2
    assert queries_of(lambda: inherited_by([(runs[-1].id, "each[0]")])) == 0
    assert queries_of(lambda: inherited_by([(runs[0].id, "each[0]")])) == 1


def test_a_strand_below_a_strand_has_what_stands_on_every_level(worker):
    run = forked(worker, 2)
    _, second = claim_strands(worker, run.id, 2)
    fork = fork_of(second, 2, path="each[1]/inner")
    own = '"changes":[["increment","n",4]]'
    move = fork.move._replace(snapshot=fork.move.snapshot.replace('"changes":[]', own))
    write_wave(worker, [fork._replace(move=move)])
    inner, _ = claim(worker, ["default"], 2)
    inherited = inner.inherited
    assert (inherited.run_id, inherited.above) == (run.id, (run.id, second.id))
    assert inherited.state.context == {"n": "5"}
    assert inherited.state.inherited.context == {"n": "1"}
    assert (inherited.item, inherited.number) == ('"item 1"', 1)
    assert item_of(inner.path, inner.input_text, inherited) == ('"item 0"', 0)
    assert item_of("each[1]/both/left", "null", inherited) == ('"item 1"', 1)


def test_a_parent_that_has_gone_on_gives_its_strands_nothing(worker):
    run = forked(worker, 2)
    _, second = claim_strands(worker, run.id, 2)
    write_wave(worker, [fork_of(second, 2, path="each[1]/inner")])
    forget([run.id, second.id])
    rows = Execution.objects.filter(pk=run.id)
    at_fork = rows.get().snapshot
    assert rows.update(snapshot=at_fork.replace('"next":"each[]"', '"next":"after"')) == 1
    keys = [(run.id, "each[0]"), (second.id, "each[1]/inner[0]")]
    assert inherited_by(keys) == {}
    rows.update(snapshot=at_fork)
    assert set(inherited_by(keys)) == {(run.id, "each"), (second.id, "each[1]/inner")}, "not kept"
