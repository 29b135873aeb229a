"""The graph as text: on the page of a run and on that of a definition, what the terminal prints."""

import html
import re

import pytest

from tests.admin.conftest import DEFINITIONS, page_of
from tests.admin.rows import make_definition, make_run, make_step
from tests.terminal.saying import said_by

EVIL = "</pre><script>alert(1)</script>\u202e"
NODES = {"nodes": [{"name": "validate", "kind": "step"}, {"name": "charge", "kind": "step"}]}


def text_of(client, address):
    page = client.get(address).content.decode()
    found = re.search(r'<pre [^>]*id="durable-graph-text"[^>]*>(.*?)</pre>', page, re.DOTALL)
    return html.unescape(found[1])


def test_a_definition_has_its_graph_as_the_text_that_the_terminal_prints(viewer):
    row = make_definition(NODES)
    text = text_of(viewer, f"{DEFINITIONS}{row.pk}/change/")
    assert text.splitlines()[:2] == ["flowchart TD", '    n0["validate"]']
    assert text.rstrip() == said_by("graph", row.name).out.rstrip()


def test_a_run_has_it_with_where_it_stands(viewer):
    make_definition(NODES)
    run = make_run("failed", error={"type": "ValueError", "message": "no", "node": "charge"})
    make_step(run, "validate", seq=1)
    make_step(run, "charge", "failed", seq=2)
    text = text_of(viewer, page_of(run))
    assert "validate<br>completed" in text
    assert "charge<br>failed" in text
    assert text.rstrip() == said_by("graph", str(run.pk)).out.rstrip()


def test_a_run_whose_definition_is_not_known_has_none(viewer):
    page = viewer.get(page_of(make_run(workflow_name="gone"))).content.decode()
    assert "durable-graph-text" not in page


@pytest.mark.parametrize("kind", ["step", "foreach"])
def test_nothing_in_it_is_taken_for_html(viewer, kind):
    row = make_definition({"nodes": [{"name": EVIL, "kind": kind, "items": EVIL, "children": []}]})
    for address in (f"{DEFINITIONS}{row.pk}/change/", page_of(make_run())):
        assert "<script>alert" not in viewer.get(address).content.decode()
        text = text_of(viewer, address)
        assert "alert(1)" in text
        assert "\u202e" not in text
