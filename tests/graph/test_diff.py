"""What two versions of a workflow say differently."""

import pytest

from durable_django.graph import Change, diff


def plan(*nodes, **options):
    return {
        "nodes": [n if isinstance(n, dict) else {"name": n, "kind": "step"} for n in nodes],
        **options,
    }


def block(name, *nodes, kind="sequence"):
    return {"name": name, "kind": kind, "children": plan(*nodes)["nodes"]}


def test_the_same_says_the_same():
    structure = plan("a", block("b", "c"), timeout=5)
    assert diff(structure, structure).is_empty


def test_what_is_new_and_what_is_gone_is_told_with_what_is_inside():
    found = diff(plan("a", block("old", "c")), plan("a", block("new", "d")))
    assert found.added == ("new", "d")
    assert found.removed == ("old", "c")
    assert found.marks_before == {"old": "removed", "c": "removed"}
    assert found.marks_after == {"new": "added", "d": "added"}


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        ("abcd", "dabc", ("d",)),
        ("abcd", "bcda", ("a",)),
        ("abcd", "abxcd", ()),
        ("abcd", "ad", ()),
        ("abcdef", "abfcde", ("f",)),
    ],
)
def test_as_few_as_possible_have_moved(before, after, moved):
    assert diff(plan(*before), plan(*after)).moved == moved


def test_a_node_that_went_into_a_block_has_moved_and_not_those_around_it():
    found = diff(plan("a", "b", block("c", "d")), plan("a", block("c", "d", "b")))
    assert found.moved == ("b",)
    assert (found.added, found.removed, found.changed) == ((), (), {})


def test_a_block_that_moved_takes_what_is_inside_along():
    assert diff(plan(block("x", "y"), "a", "b"), plan("a", "b", block("x", "y"))).moved == ("x",)


def test_options_that_changed_are_told_with_both_values():
    before = plan({"name": "a", "kind": "step", "timeout": 5, "atomic": False})
    after = plan({"name": "a", "kind": "event", "timeout": 9.5, "atomic": False}, max_retries=2)
    found = diff(before, after)
    assert found.changed == {"a": (Change("kind", "step", "event"), Change("timeout", 5, 9.5))}
    assert found.options == (Change("max_retries", None, 2),)


def test_what_an_older_package_did_not_write_is_no_change():
    before = plan({"name": "a", "kind": "step"})
    after = plan({"name": "a", "kind": "step", "atomic": False, "timeout": None, "doc": ""})
    assert diff(before, after).is_empty


def test_what_cannot_be_read_is_no_difference():
    assert diff(None, {"nodes": "?"}).is_empty
