"""Visit paths: read without the code that wrote them."""

import doctest

import pytest

from durable_django.engine import paths


@pytest.mark.parametrize(
    ("path", "name", "chain"),
    [
        ("charge", "charge", ()),
        ("route#2", "route", ()),
        ("polling[3]", "polling", ()),
        ("polling#2[3]/poll", "poll", ("polling",)),
        ("outer[1]/decide#4/inner[12]/send#2", "send", ("outer", "decide", "inner")),
    ],
)
def test_a_path_names_its_node_and_the_blocks_around_it(path, name, chain):
    assert paths.node_name(path) == name
    assert paths.chain_names(path) == chain
    assert paths.top_name(path) == (chain or (name,))[0]


@pytest.mark.parametrize(
    ("path", "is_block", "next_path", "closed"),
    [
        ("a", False, "b", ()),
        ("decide", True, "decide/a", ()),
        ("decide", True, "b", ("decide",)),
        ("decide/a", False, "decide/b", ()),
        ("decide/a", False, "b", ("decide",)),
        ("polling[1]/poll", False, "polling[2]", ()),
        ("polling[1]/poll", False, "polling[1]", ()),
        ("polling[2]", True, "polling[3]/poll", ()),
        ("polling[2]", True, "b", ("polling",)),
        ("polling[2]", True, "", ("polling",)),
        ("outer[1]/inner[2]", True, "outer[2]", ("inner",)),
        ("outer[1]/decide/seq/a", False, "outer[1]", ("seq", "decide")),
        ("outer[1]/decide/seq/a", False, "", ("seq", "decide", "outer")),
        ("decide#1/a", False, "decide#2", ("decide",)),
        ("decide/a", False, "decide#2", ("decide",)),
    ],
)
def test_the_blocks_that_end_are_those_that_the_next_path_is_not_in(
    path, is_block, next_path, closed
):
    assert paths.closed_blocks(path, is_block, next_path) == closed


def test_the_iteration_is_that_of_the_innermost_loop():
    assert paths.number_in("months[2]/days[30]/send") == 30
    assert paths.number_in("months[2]/decide/send#3") == 2
    assert paths.number_in("send") is None
    assert paths.in_iteration("months[2]/days#2[30]", 31) == "months[2]/days#2[31]"


def test_the_examples_in_the_docstrings_are_true():
    assert doctest.testmod(paths).failed == 0
