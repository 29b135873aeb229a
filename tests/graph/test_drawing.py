"""What a graph looks like: as a template draws it, alone as a file, and as a flowchart's text."""

import re
from xml.etree import ElementTree

import pytest
from django.template.loader import render_to_string
from django.test import override_settings
from django.utils import translation

from durable_django import Workflow, branch, decision, foreach, loop, parallel, step
from durable_django.definition import registry
from durable_django.graph import NodeState, States, graph_of, mermaid, svg_text

EVIL = "</svg><script>window.pwned = 1</script>\"'><img src=x onerror=alert(1)>"


def html_of(*args, **options):
    return render_to_string("durable_django/graph.html", {"graph": graph_of(*args, **options)})


def one(**fields):
    return {"nodes": [{"name": "charge", "kind": "step", **fields}]}


@pytest.fixture
def structure():
    with registry.isolate():

        class Order(Workflow):
            @step
            def kind(self):
                """What it is."""

            @kind.compensate
            def forget(self):
                pass

            with branch(on=kind) as route:
                with route.case("gift"):

                    @step
                    def wrap(self):
                        pass

                with route.default():

                    @step
                    def pack(self):
                        pass

            with foreach("who") as sending:

                @step
                def send(self):
                    pass

            with loop(while_="more") as polling:

                @step
                def poll(self):
                    pass

            with parallel() as both:

                @step
                def one(self):
                    pass

                @step
                def other(self):
                    pass

            @decision(to=["kind"])
            def again(self):
                pass

        yield Order.definition.structure()


def test_each_node_is_a_link_with_a_text_that_says_all_of_it(structure):
    page = html_of(structure, link=lambda name: f"?node={name}")
    names = ["kind", "route", "wrap", "pack", "sending", "send", "polling", "poll", "both", "again"]
    for name in names:
        assert f'<a href="?node={name}"' in page
    assert page.count("<a ") == page.count("</a>") == len([*names, "one", "other"])
    assert "kind (step)\nundone by forget\nWhat it is." in page
    assert 'aria-label="Graph of 12 nodes"' in page


def test_a_drawing_has_no_inline_style_and_is_well_formed(structure):
    states = States("running", nodes={"kind": NodeState("completed", undone="completed")})
    for page in (html_of(structure), html_of(structure, states)):
        assert " style=" not in page
        assert "<style" not in page
        ElementTree.fromstring(page)


@pytest.mark.parametrize("field", ["name", "kind", "doc"])
def test_nothing_a_structure_holds_turns_the_direction_of_what_follows(field):
    told = one(options={"event": "a\u202eb", "doc": "a\u202eb"}, **{field: "a\u202eb"})
    for text in (html_of(told), svg_text(graph_of(told))):
        assert "\u202e" not in text
        assert r"a\u202eb" in text


@pytest.mark.parametrize("field", ["name", "kind", "doc", "function"])
def test_what_a_structure_holds_is_never_markup(field):
    told = one(**{field: EVIL, "compensation": {"name": EVIL}})
    told["nodes"].append(
        {
            "kind": "branch",
            "name": "b",
            "on": EVIL,
            "children": [{"kind": "case", "label": EVIL, "children": [{"name": "x" + EVIL}]}],
        }
    )
    states = States("running", nodes={"b": NodeState("completed", taken=EVIL)})
    for text in (html_of(told, states), svg_text(graph_of(told, states))):
        assert "<script" not in text
        assert "<img" not in text
        ElementTree.fromstring(text)
    assert '"' not in mermaid({"nodes": [{"name": EVIL}]}).replace('["', "").replace('"]', "")


@pytest.mark.parametrize(
    "structure",
    [
        {},
        None,
        [],
        "?",
        {"nodes": None},
        {"nodes": [None, 3, {}]},
        {"nodes": [{"name": None, "kind": None, "children": [{}], "to": 3, "retry": 4}]},
        {"nodes": [{"kind": "branch", "children": []}, {"kind": "loop"}, {"kind": "foreach"}]},
        {"nodes": [{"name": "a"}, {"name": "a"}, {"kind": "decision", "to": ["a", 7]}]},
        {"nodes": [{"kind": "sleep", "duration": "callable", "names": 3, "timeout": True}]},
        {"nodes": [{"kind": "newer_than_this", "name": "x", "compensation": "?"}]},
    ],
)
def test_a_structure_of_another_version_is_drawn_as_far_as_it_can_be_read(structure):
    ElementTree.fromstring(html_of(structure, States("running", nodes={"a": NodeState("failed")})))
    ElementTree.fromstring(svg_text(graph_of(structure)))
    assert mermaid(structure).startswith("flowchart TD")


def test_a_state_is_a_text_and_a_sign_and_not_only_a_colour():
    states = States("failed", is_final=True, nodes={"charge": NodeState("failed", 1, 3, 1.25)})
    page = html_of(one(), states)
    assert "failed · 3 attempts · 1.2 s</text>" in page
    assert page.count("durable-graph-sign durable-tone-bad") == 1


def test_what_was_not_reached_is_dim_and_says_so_when_the_run_is_over(structure):
    states = States("failed", is_final=True, nodes={"kind": NodeState("failed", 1, 1)})
    page = html_of(structure, states)
    assert page.count(">not reached</text>") == 11
    assert "durable-graph-dim" in page
    assert "not reached" not in html_of(structure)


def test_a_foreach_counts_its_members_in_words_and_in_a_bar(structure):
    counts = {"completed": 9_950, "failed": 50}
    states = States("running", nodes={"sending": NodeState("running", counts=counts)})
    page = html_of(structure, states)
    assert "9,950 of 10,000 · 50 failed</text>" in page
    assert page.count('class="durable-graph-bar') == 2


def test_numbers_are_no_words_of_a_language(structure):
    counts = {"completed": 9_950, "failed": 50}
    states = States("running", nodes={"sending": NodeState("running", counts=counts)})
    with override_settings(USE_THOUSAND_SEPARATOR=True), translation.override("de"):
        page = html_of({"nodes": structure["nodes"] * 30}, states)
    numbers = re.findall(r'(?:width|height|viewBox|x|y|cx|cy|r|d)="([^"]*)"', page)
    assert not any("," in number for number in numbers)


def test_long_names_are_shortened_and_told_in_full():
    name = f"a_{'very_' * 20}long_name"
    page = html_of(one(name=name))
    assert re.search(r'name" x="\d+" y="\d+">a_very_[a-z_]+…[a-z_]+name</text>', page)
    assert f"<title>{name} (step)" in page


def test_the_way_of_a_run_is_drawn_above_the_others(structure):
    states = States(
        "running",
        nodes={"kind": NodeState("completed"), "route": NodeState("running")},
        ways=frozenset({("kind", "route")}),
    )
    drawn = graph_of(structure, states).edges
    assert [edge.is_taken for edge in drawn] == sorted(edge.is_taken for edge in drawn)
    assert sum(edge.is_taken for edge in drawn) == 2  # from the beginning, and from there on


def test_marks_say_what_is_different():
    page = html_of(one(), marks={"charge": "added"})
    assert "added · step</text>" in page
    assert "durable-graph-added" in page


def test_an_svg_of_its_own_needs_no_style_sheet(structure):
    text = svg_text(graph_of(structure))
    tree = ElementTree.fromstring(text)
    assert tree.tag == "{http://www.w3.org/2000/svg}svg"
    assert "class=" not in text
    assert "var(" not in text
    assert len(tree.findall(".//{http://www.w3.org/2000/svg}g")) == 14  # twelve nodes, two cases


def test_a_flowchart_has_every_node_once_and_the_arrows_between_them(structure):
    lines = mermaid(structure).splitlines()
    assert lines[0] == "flowchart TD"
    for name in ("kind", "wrap", "pack", "send", "poll", "one", "other", "again"):
        assert sum(f'"{name}"' in line for line in lines) == 1
    assert sum("subgraph" in line for line in lines) == sum(line.strip() == "end" for line in lines)
    assert any("-. jump .->" in line for line in lines)
    assert any('-->|"gift"|' in line for line in lines)
