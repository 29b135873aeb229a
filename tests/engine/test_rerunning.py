"""Where a run can be run again from, told from its step runs alone."""

from durable_django.engine.rerunning import Ended, Start, places, starts


def rows(*told):
    """Step runs, of "path>next" each; "!" before it says that it failed, "~" in it that it undid
    a visit."""
    found = []
    for seq, text in enumerate(told, start=1):
        path, _, onward = text.removeprefix("!").partition(">")
        status = "failed" if text.startswith("!") else "completed"
        kind = "compensation" if "~" in path else "step"
        found.append(Ended(seq, path, kind, status, onward or path * (status == "failed")))
    return found


TOP = ("ask", "route", "pay", "end")


def seqs(found):
    return {node: start.seq for node, start in found.possible.items()}


def test_a_run_that_never_began_can_begin_at_its_first_node():
    assert starts([], "ask", TOP).possible == {"ask": Start("ask", 0, (), 0)}


def test_every_node_the_run_came_to_is_a_place_and_the_one_it_would_go_on_with():
    found = starts(rows("ask>pay", "pay>end"), "ask", TOP)
    assert seqs(found) == {"ask": 0, "pay": 1, "end": 2}
    assert found.possible["end"].kept == ("ask", "pay")
    assert found.last == "end"


def test_the_attempts_of_a_visit_are_one_place():
    found = starts(rows("ask>pay", "!pay", "!pay", "pay>end"), "ask", TOP)
    assert seqs(found) == {"ask": 0, "pay": 1, "end": 4}


def test_all_that_happens_inside_a_block_is_one_place():
    told = rows(
        "ask>route[1]/pay", "route[1]/pay>route[1]", "route[1]>route[2]/pay", "!route[2]/pay"
    )
    assert [place.path for place in places(told, "ask")] == ["ask", "route"]
    assert seqs(starts(told, "ask", TOP)) == {"ask": 0, "route": 1}


def test_the_members_of_a_fork_and_its_join_are_one_place():
    told = rows("route>route[]", "route[]>pay")
    assert [place.path for place in places(told, "route")] == ["route", "pay"]


def test_the_last_visit_of_a_node_counts_and_the_order_is_that_of_last_visits():
    found = starts(rows("ask>route", "route>ask#2", "ask#2>route#2", "route#2>end"), "ask", TOP)
    assert seqs(found) == {"ask": 2, "route": 3, "end": 4}
    assert list(found.possible) == ["ask", "route", "end"]
    assert found.possible["route"].kept == ("ask", "route", "ask#2")


def test_nodes_that_the_code_has_no_longer_are_kept_but_no_place_to_begin_at():
    found = starts(rows("ask>old", "old>pay", "pay>gone"), "ask", TOP)
    assert seqs(found) == {"ask": 0, "pay": 2}
    assert found.possible["pay"].kept == ("ask", "old")


def test_nothing_is_kept_from_the_first_visit_on_that_was_undone():
    told = rows("ask>route", "route>pay", "pay>end", "!end", "pay~refund", "route/inner~undo")
    found = starts(told, "ask", TOP)
    assert seqs(found) == {"ask": 0, "route": 1}
    assert list(found.undone) == ["pay", "end"]
    assert found.last == "route"


def test_a_compensation_that_failed_counts_as_well():
    found = starts(rows("ask>pay", "!pay", "!ask~undo"), "ask", TOP)
    assert seqs(found) == {"ask": 0}
    assert list(found.undone) == ["pay"]


def test_a_node_whose_last_visit_comes_too_late_is_no_place_although_an_earlier_is():
    found = starts(rows("ask>ask#2", "ask#2>pay", "!pay", "ask~undo"), "ask", TOP)
    assert (found.possible, list(found.undone), found.last) == ({}, ["ask", "pay"], None)


def test_a_visit_is_stood_at_until_it_is_through_and_a_block_until_it_is_entered():
    told = rows("ask>pay", "!pay", "pay>route[1]/in", "route[1]/in>route[1]", "!route[1]")
    assert [(p.path, p.stood_until) for p in places(told, "ask")] == [
        ("ask", 0),
        ("pay", 2),
        ("route", 3),
    ]
