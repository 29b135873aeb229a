"""`durable graph`: a workflow or a run as a drawing."""

from xml.etree import ElementTree

import pytest

from durable_django import Workflow, step
from durable_django.definition import registry
from durable_django.store import definitions
from durable_django.testing import run

CHART = """\
flowchart TD
    n0["validate"]
    n1["charge"]
    n0 --> n1
"""


@pytest.fixture
def Order(durable):
    class Order(Workflow):
        class Meta:
            name = "take_order"

        @step
        def validate(self):
            pass

        @step
        def charge(self):
            raise ValueError("no")

    return Order


def test_a_workflow_is_drawn_as_mermaid(terminal, Order):
    for is_terminal in (True, False):
        said = terminal("graph", "take_order", width=20, is_terminal=is_terminal)
        assert (said.code, said.out) == (0, CHART)
    assert terminal("graph", "take_order", "--json").json == {
        "workflow": "take_order",
        "version": 1,
        "execution": None,
        "format": "mermaid",
        "output": None,
        "graph": CHART.rstrip("\n"),
    }


def test_a_run_is_drawn_with_where_it_stands(terminal, Order):
    made = run(Order)
    plain = terminal("graph", "take_order", "--format", "svg").out
    drawn = terminal("graph", made.pk, "--format", "svg", width=40).out
    for svg in (plain, drawn):
        assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert "failed" in drawn
    assert "failed" not in plain


def test_a_run_is_drawn_as_mermaid_too(terminal, Order):
    made = run(Order)
    assert terminal("graph", made.pk).lines == [
        "flowchart TD",
        '    n0["validate<br>completed"]',
        '    n1["charge<br>failed"]',
        "    n0 --> n1",
        "    classDef bad fill:#fdeaea,stroke:#ba2121,color:#222222",
        "    class n1 bad",
        "    classDef good fill:#e2f6e4,stroke:#8fbf96,color:#222222",
        "    class n0 good",
    ]


def test_the_name_of_the_file_says_how_it_is_written(terminal, Order, tmp_path):
    file = tmp_path / "order.svg"
    said = terminal("graph", "take_order", "-o", file)
    assert (said.code, said.out) == (0, f"Wrote the graph of take_order v1 to {file}\n")
    assert file.read_text(encoding="utf-8").startswith("<svg")
    other = tmp_path / "order.mmd"
    assert terminal("graph", "take_order", "-o", other, "--json").json["graph"] is None
    assert other.read_text(encoding="utf-8") == CHART


def test_what_is_stored_is_drawn_where_the_code_is_gone(terminal, Order):
    made = run(Order)
    definitions.record_definitions([Order.definition])
    with registry.isolate():
        registry._classes.clear()
        assert terminal("graph", "take_order").out == CHART
        assert "failed" in terminal("graph", made.pk, "--format", "svg").out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["take_ordr"], 3, 'did you mean "take_order"?'),
        (["take_order", "--version", "7"], 3, "take_order has no version 7"),
        (["00000000"], 3, "no run has an id"),
        (["take_order", "-o", "/nowhere/order.svg"], 1, "cannot be written"),
        (["take_order", "--format", "png"], 2, "png"),
    ],
)
def test_what_is_wrong_is_named(terminal, Order, words, code, told, capsys):
    said = terminal("graph", *words)
    assert (said.code, told in said.err + capsys.readouterr().err) == (code, True)
