"""What a step sees of the nodes before it, and of its input."""

import pytest

from durable_django.engine.outputs import Outputs, read_only
from durable_django.engine.state import RunState


def outputs_of(fetched, **state):
    def fetch(seq):
        fetched.append(seq)
        return f'"row {seq}"'

    return Outputs(RunState("next", **state), fetch)


def test_an_output_is_decoded_when_it_is_read_and_stays_the_same_object():
    outputs = outputs_of([], outputs={"a": "[1]"})
    assert outputs["a"] == [1]
    assert outputs["a"] is outputs["a"]


def test_a_large_output_is_fetched_once_and_only_when_it_is_read():
    fetched = []
    outputs = outputs_of(fetched, outputs={"a": "1"}, references={"big": 7})
    assert sorted(outputs) == ["a", "big"]
    assert len(outputs) == 2
    assert "big" in outputs
    assert "small" not in outputs
    assert fetched == []
    assert outputs["big"] == outputs["big"] == "row 7"
    assert fetched == [7]


def test_a_node_that_has_not_completed_is_a_key_error_that_names_it():
    with pytest.raises(KeyError, match="'charge' has not completed"):
        outputs_of([])["charge"]
    assert outputs_of([]).get("charge", "nothing") == "nothing"


def test_an_output_held_in_memory_comes_before_a_reference_of_the_same_name():
    fetched = []
    outputs = outputs_of(fetched, outputs={"a": "2"}, references={"a": 1})
    assert (outputs["a"], list(outputs), len(outputs), fetched) == (2, ["a"], 1, [])


def test_outputs_are_read_only_and_print_the_names_of_the_nodes():
    outputs = outputs_of([], outputs={"a": "2"})
    with pytest.raises(TypeError):
        outputs["a"] = 3
    assert repr(outputs) == "<Outputs of a>"
    assert repr(outputs_of([])) == "<Outputs of no node yet>"


@pytest.mark.parametrize(
    "change",
    [
        lambda given: given.__setitem__("a", 2),
        lambda given: given.__delitem__("a"),
        lambda given: given.update(a=2),
        lambda given: given.setdefault("b", 2),
        lambda given: given.pop("a"),
        lambda given: given.popitem(),
        lambda given: given.clear(),
        lambda given: given.__ior__({"b": 1}),
    ],
)
def test_the_input_is_read_only_and_says_where_to_put_what_changes(change):
    given = read_only({"a": 1})
    with pytest.raises(TypeError, match=r"self\.context"):
        change(given)
    assert given == {"a": 1}


def test_an_input_that_is_no_dict_is_itself():
    assert read_only([1]) == [1]
    assert read_only(None) is None
