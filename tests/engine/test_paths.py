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


@pytest.mark.parametrize(
    ("path", "is_block", "onward", "closed"),
    [
        # In a strand whose own path ends, where it goes on is the visit that forked it.
        ("fetch/user", False, "fetch", ()),
        ("sending[17]/send", False, "sending", ()),
        ("fetch/billing/balance", False, "fetch", ("billing",)),
        ("sending[17]/decide", True, "sending", ("decide",)),
        ("polling[3]/fetch#2/billing/pay", False, "polling[3]/fetch#2", ("billing",)),
        # What forks closes nothing; what joins closes the fork, and what ends with it.
        ("sending", True, "sending[]", ()),
        ("decide/sending", True, "decide/sending[]", ()),
        ("sending[]", True, "end", ("sending",)),
        ("decide/sending[]", True, "end", ("sending", "decide")),
        ("fetch/sending[]", True, "fetch", ("sending",)),
        ("sending", True, "end", ("sending",)),
    ],
)
def test_a_fork_closes_with_its_join_and_a_strand_closes_nothing_around_it(
    path, is_block, onward, closed
):
    assert paths.closed_blocks(path, is_block, onward) == closed


@pytest.mark.parametrize(
    ("strand", "fork"),
    [
        ("fetch/user", "fetch"),
        ("sending[17]", "sending"),
        ("polling[3]/fetch#2/user", "polling[3]/fetch#2"),
        ("polling[3]/sending#2[0]", "polling[3]/sending#2"),
        ("sending[1]/inner[0]", "sending[1]/inner"),
        ("sending[1]/fetch/user", "sending[1]/fetch"),
    ],
)
def test_a_strand_tells_the_visit_that_forked_it_and_that_one_where_it_is_joined(strand, fork):
    assert paths.fork_of(strand) == fork
    assert paths.joining(fork) == f"{fork}[]"
    assert paths.is_joining(paths.joining(fork))
    assert not paths.is_joining(strand)
    assert paths.node_name(paths.joining(fork)) == paths.node_name(fork)


@pytest.mark.parametrize(
    ("path", "names", "number"),
    [
        ("sending[17]/send", None, 17),
        ("sending[0]", None, 0),
        ("sending[]", None, None),
        ("polling[3]/sending[]", None, 3),
        ("sending[17]/polling[3]/poll#2", {"polling"}, 3),
        ("sending[17]/polling[3]/poll#2", {"sending"}, 17),
        ("sending#2[17]/polling[3]/poll", {"sending"}, 17),
        ("sending[17]/send", {"polling"}, None),
        ("sending[17]/send", (), None),
    ],
)
def test_the_number_is_that_of_the_innermost_block_asked_for(path, names, number):
    assert paths.number_in(path, names) == number


def test_the_examples_in_the_docstrings_are_true():
    assert doctest.testmod(paths).failed == 0
