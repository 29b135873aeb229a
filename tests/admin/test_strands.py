"""A run's page shows its forks in place: what their members are, how they stand, what they gave."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django import Workflow, foreach, parallel, race, sequence, step
from durable_django.admin import members
from durable_django.admin.tabs import steps
from durable_django.models import Execution, StepRun
from tests.admin.conftest import context_of, page_of, steps_of
from tests.admin.rows import make_fork, make_run, make_step, now
from tests.admin.test_run_page import EVIL, text_of


def lines_of(client, address):
    """The lines on the face of the page, in order: names, without what is folded away."""
    page = client.get(address).content.decode()
    names = re.findall(r'"durable-step-name">(.*?)</span>\s*<svg', page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", "", name).split()) for name in names]


def members_of(client, address):
    """The ids of the members on the page, in order."""
    return re.findall(r'<li id="member-([0-9a-f-]+)">', client.get(address).content.decode())


def queries_of(client, address):
    with CaptureQueriesContext(connection) as found:
        assert client.get(address).status_code == 200
    return len(found)


@pytest.fixture
def newsletter(durable):
    class Newsletter(Workflow):
        with parallel() as fetch:

            @step
            def customers(self):
                return self.input["customers"]

            with sequence() as prices:

                @step
                def rates(self):
                    return 2

                @step
                def convert(self):
                    self.context["currency"] = "USD"
                    return 3

        with foreach(customers, on_error="collect") as sending:

            @step
            def send(self):
                if self.item == "bob":
                    raise ValueError("bob has moved")
                return f"to {self.item}"

            with race() as asking:

                @step
                def slack(self):
                    return "by slack"

                @step
                def mail(self):
                    return "by mail"

    return Newsletter


def test_forks_stand_in_place_with_their_members_and_what_is_in_these(viewer, durable, newsletter):
    run = durable.run(newsletter, {"customers": ["ada", "bob"]})
    assert run.status == "completed"
    assert lines_of(viewer, steps_of(run)) == [
        "fetch parallel",
        *("customers", "customers", "prices", "prices/rates", "prices/convert"),
        "sending foreach",
        *("sending[0]", "send", "asking race", "slack winner", "slack", "mail"),
        *("sending[1]", "send"),
    ]
    text = text_of(viewer, steps_of(run))
    for said in ('"ada"', '"to ada"', "ValueError: bob has moved", "1 completed", "1 failed"):
        assert said in text
    assert "currency" in text
    assert "[]" not in "".join(lines_of(viewer, steps_of(run)))


def test_the_opening_and_the_join_are_one_line_with_the_state_of_the_join(viewer):
    run = make_run("failed")
    make_fork(run, ["failed", "cancelled"], joined="failed")
    page = viewer.get(steps_of(run)).content.decode()
    assert page.count("durable-fork") == page.count('durable-step-bad durable-fork"') == 1
    text = text_of(viewer, steps_of(run))
    assert "1 failed" in text
    assert "1 cancelled" in text
    assert "the last word" in text


@pytest.mark.parametrize(
    ("status", "joined", "said"),
    [
        ("waiting", None, "running"),
        ("waiting", "failed", "running"),  # the run is retried
        ("completed", "completed", "completed"),
        ("completed", None, "cancelled"),  # a member finished the run
        ("cancelled", None, "cancelled"),
        ("failed", None, "failed"),  # by the timeout of the run
        ("compensating", "failed", "failed"),
        ("compensating", None, "cancelled"),
    ],
)
def test_a_fork_has_a_status_as_a_whole(viewer, status, joined, said):
    run = make_run(status)
    make_fork(run, ["completed", "pending"], joined=joined)
    page = viewer.get(steps_of(run)).content.decode()
    fork = page[page.index("durable-fork") :]
    assert re.sub(r"<[^>]+>", "", fork[fork.index("<summary>") :]).split()[0] == said


def test_members_say_how_they_stand_and_what_waits_for_its_turn(viewer):
    run = make_run("running")
    statuses = ["completed", "failed", "running", "pending", "sleeping", "held_back", "cancelled"]
    sleeping = {"due_at": run.created_at}
    strands = make_fork(run, [s for s in statuses if s != "sleeping"])
    make_fork(run, ["sleeping"], path="others", seq=2, **sleeping)
    text = text_of(viewer, steps_of(run))
    for said in ("1 completed", "1 failed", "1 running", "1 pending", "1 waiting for their turn"):
        assert said in text
    assert "waits for its turn" in text
    assert "1 sleeping" in text
    assert members_of(viewer, steps_of(run))[:6] == [str(strand.pk) for strand in strands]


def test_a_member_tells_its_attempts_and_its_duration(viewer):
    run = make_run("running")
    strand = make_fork(run, ["completed"])[0]
    make_step(strand, "send", "failed", seq=1, path="sending[0]/send")
    make_step(strand, "send", seq=2, attempt=2, path="sending[0]/send")
    text = " ".join(text_of(viewer, steps_of(run)).split())
    assert "sending[0] 2 attempts" in text
    assert "1.0 s" in text


def test_a_fork_that_is_retried_and_one_without_items_are_shown(viewer):
    run = make_run("waiting")
    make_step(run, "nobody", path="nobody", kind="foreach", output=[], seq=1)
    make_fork(run, ["completed"], seq=2, joined="failed")
    make_step(run, "sending", "failed", path="sending[]", kind="foreach", seq=4)
    assert lines_of(viewer, steps_of(run)) == [
        "nobody foreach",
        "sending foreach retried 2 times",
        "sending[0]",
    ]


def test_of_many_members_those_that_failed_or_run_come_first(viewer):
    run = make_run("running")
    statuses = ["completed"] * 100
    statuses[70], statuses[80], statuses[99] = "running", "failed", "held_back"
    strands = make_fork(run, statuses)
    shown = members_of(viewer, steps_of(run))
    assert len(shown) == members.ROOM[0][0] == 50
    assert shown[:3] == [str(strands[n].pk) for n in (80, 70, 0)]
    text = text_of(viewer, steps_of(run))
    assert "Showing 50 of 100, failed and running ones first." in text
    assert str(strands[99].pk) not in viewer.get(steps_of(run)).content.decode()


def test_members_are_chosen_by_status_and_gone_through_in_order(viewer):
    run = make_run("running")
    strands = make_fork(run, ["completed", "held_back"] * 60)
    page = viewer.get(steps_of(run)).content.decode()
    assert 'href="?tab=steps&amp;fork=1&amp;status=held_back#step-1"' in page
    assert 'href="?tab=steps&amp;fork=1#step-1"' in page
    address = f"{steps_of(run)}&fork=1&members=3"
    assert members_of(viewer, address) == [str(strand.pk) for strand in strands[100:]]
    assert "Members 101 to 120 of 120." in text_of(viewer, address)
    address = f"{steps_of(run)}&fork=1&status=held_back&members=2"
    assert members_of(viewer, address) == [str(strand.pk) for strand in strands[1::2][50:]]
    page = viewer.get(address).content.decode()
    assert 'href="?tab=steps&amp;fork=1&amp;status=held_back#step-1">Previous' in page
    assert 'aria-current="true"' in page


@pytest.mark.parametrize(
    "query",
    ["fork=x", "fork=²", "fork=9", "fork=1&status=odd", "fork=1&members=x", f"fork={'1' * 30}"],
)
def test_an_address_that_asks_for_nonsense_shows_the_run(viewer, query):
    run = make_run("running")
    make_fork(run, ["completed"] * 60)
    assert len(members_of(viewer, f"{steps_of(run)}&{query}")) == 50


def test_the_fork_asked_for_is_shown_wherever_its_steps_of_steps_is(viewer, monkeypatch):
    monkeypatch.setattr(steps, "STEPS_PER_PAGE", 2)
    run = make_run("running")
    make_step(run, "first", seq=1)
    strand = make_fork(run, ["completed"], seq=2, joined="completed")[0]
    for seq in range(4, 9):
        make_step(run, f"node{seq}", seq=seq)
    assert members_of(viewer, steps_of(run)) == []
    assert members_of(viewer, f"{steps_of(run)}&fork=2") == [str(strand.pk)]
    # A join is no line of its own, so it takes no place on a page either.
    assert lines_of(viewer, f"{steps_of(run)}&steps=2") == ["node4", "node5"]


def test_the_number_of_queries_depends_on_no_number_of_members_forks_or_steps(viewer):
    run = make_run("running")

    def grow(forks, size, seq):
        for number in range(forks):
            strands = make_fork(
                run, ["completed"] * size, path=f"f{seq + number}", seq=seq + number
            )
            for strand in strands[:3]:
                make_step(strand, "send", path=f"{strand.path}/send", worker=run.worker)
                make_fork(strand, ["failed"] * 12, path=f"{strand.path}/in", seq=2)

    grow(1, 60, 1)
    few = queries_of(viewer, steps_of(run))
    grow(4, 70, 2)
    assert queries_of(viewer, steps_of(run)) == few <= 26
    grow(20, 3, 10)
    assert queries_of(viewer, steps_of(run)) == few


def count_rows_read(patch):
    """Grows by one for each row that is read whole."""
    read = []
    for model in (Execution, StepRun):

        def from_db(cls, *args, made=model.from_db.__func__, **kwargs):
            read.append(cls)
            return made(cls, *args, **kwargs)

        patch.setattr(model, "from_db", classmethod(from_db))
    return read


def test_ten_thousand_members_are_counted_and_few_of_them_read(viewer, monkeypatch):
    run = make_run("completed")
    strands = make_fork(run, ["completed"] * 9_998 + ["failed"] * 2, joined="completed")
    snapshot = Execution.objects.get(pk=run.pk).snapshot
    results = StepRun.objects.get(execution=run, seq=1).output_text
    snapshot = snapshot.replace('"outputs":{}', f'"outputs":{{"sending":[{results}]}}')
    Execution.objects.filter(pk=run.pk).update(snapshot=snapshot, result_text=results)
    with monkeypatch.context() as patch:
        read = count_rows_read(patch)
        text = text_of(viewer, steps_of(run))
    assert len(read) < 70
    assert "9,998 completed" in text
    assert "2 failed" in text
    assert "Showing 50 of 10,000" in text
    assert text_of(viewer, context_of(run)).count("… 9,995 more") == 2
    assert members_of(viewer, steps_of(run))[:2] == [str(strand.pk) for strand in strands[-2:]]
    assert queries_of(viewer, steps_of(run)) <= 20


def test_in_forks_in_forks_little_is_read_and_the_rest_is_a_link_away(viewer):
    run = make_run("running")
    outer = make_fork(run, ["completed"] * 2)[0]
    middle = make_fork(outer, ["completed"] * 30, path=f"{outer.path}/in")
    inner = make_fork(middle[0], ["failed"] * 3, path=f"{middle[0].path}/deep")
    page = viewer.get(steps_of(run)).content.decode()
    shown = members_of(viewer, steps_of(run))
    assert [str(strand.pk) in shown for strand in middle] == [True] * 10 + [False] * 20
    assert not {str(strand.pk) for strand in inner} & set(shown)
    assert "3 failed" in text_of(viewer, steps_of(run))
    assert f'href="{page_of(middle[0])}?tab=steps&amp;fork=1#step-1"' in page
    assert f'href="{page_of(outer)}?tab=steps&amp;fork=1#step-1"' in page


def test_a_member_with_a_long_history_shows_its_end(viewer):
    run = make_run("running")
    strand = make_fork(run, ["running"])[0]
    for seq in range(1, 31):
        make_step(strand, "poll", seq=seq, path=f"sending[0]/polling[{seq}]/poll")
    lines = lines_of(viewer, steps_of(run))
    assert len(lines) == 2 + members.STEPS_PER_MEMBER
    assert lines[-1] == "polling[30]/poll"
    assert "10 earlier attempts are not shown here." in text_of(viewer, steps_of(run))
    assert len(lines_of(viewer, steps_of(strand))) == 30


def test_what_a_rollback_undid_stands_behind_the_steps_with_what_it_undid(viewer):
    run = make_run("compensation_failed")
    make_step(run, "charge", seq=1)
    make_step(run, "recall", "failed", seq=2, path="sending[3]/send~recall", kind="compensation")
    make_step(run, "refund", seq=3, path="charge~refund", kind="compensation")
    assert lines_of(viewer, steps_of(run)) == [
        "charge",
        "recall undoes sending[3]/send",
        "refund undoes charge",
    ]
    text = text_of(viewer, steps_of(run))
    assert text.index("Rollback") < text.index("recall")
    assert "compensation failed" in text


def test_nothing_that_members_hold_is_markup(viewer):
    run = make_run("failed")
    strand = make_fork(
        run,
        ["failed"],
        joined="failed",
        input_text=f'"{EVIL}"',
        error_text=f'{{"type":"{EVIL}","message":"{EVIL}","traceback":"","node":"{EVIL}"}}',
    )[0]
    Execution.objects.filter(pk=strand.pk).update(path=f"{EVIL}[0]")
    for address in (steps_of(run), steps_of(strand)):
        page = viewer.get(address).content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;alert" in page
        assert not re.search(r"<[^>]+\s(style|on\w+)=", page)


def test_a_fork_of_a_paused_run_is_paused(viewer):
    run = make_run("paused", paused_at=now())
    make_fork(run, ["paused"] * 2, paused_at=now())
    page = viewer.get(steps_of(run)).content.decode()
    line = page.partition('id="step-1"')[2].partition("</summary>")[0]
    assert "paused</span>" in line
    assert "running" not in line
