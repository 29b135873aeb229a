"""The house rules, read off the source itself; each test says a rule and lists who breaks it.

What ruff, mypy and import-linter can see (style, types, layers) is left to them (`make lint`).
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "durable_django"

LINES_MAX = 400
FUNCTION_LINES_MAX = 80
RACE_MARK = re.compile(r"#\s*race: ([a-z0-9-]+)")


def sources(*parts: str) -> list[Path]:
    """The Python files under the named folders of the checkout; generated ones are left out."""
    found = (path for part in parts for path in sorted((ROOT / part).rglob("*.py")))
    return [path for path in found if "migrations" not in path.parts]


def nodes(paths: list[Path]) -> Iterator[tuple[str, ast.AST]]:
    """Every node of the files' syntax trees, with where it stands: `store/claiming.py:12`."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            yield where, node


def imports(paths: list[Path]) -> Iterator[tuple[str, str]]:
    """(where, dotted name) of everything that the files import."""
    for where, node in nodes(paths):
        if isinstance(node, ast.Import):
            yield from ((where, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield where, module
            yield from ((where, f"{module}.{alias.name}") for alias in node.names)


def calls(paths: list[Path]) -> Iterator[tuple[str, str]]:
    """(where, what is called as it is written) of every call with a plain or dotted name."""
    for where, node in nodes(paths):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield where, ast.unparse(node.func)


def test_a_file_is_read_in_one_sitting():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in sources("durable_django", "example_project", "tests", "benchmarks")
    }
    assert {name: lines for name, lines in lengths.items() if lines > LINES_MAX} == {}


def test_a_function_fits_a_screen():
    long = {
        f"{where} {node.name}": node.end_lineno - node.lineno + 1
        for where, node in nodes(sources("durable_django", "example_project"))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno >= FUNCTION_LINES_MAX
    }
    assert long == {}


def test_a_module_opens_by_saying_what_it_is():
    silent = [
        str(path.relative_to(ROOT))
        for path in sources("durable_django")
        if (tree := ast.parse(path.read_text(encoding="utf-8"))).body
        and not ast.get_docstring(tree)
    ]
    assert silent == []


def test_nothing_is_pickled():
    banned = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "marshal", "shelve"}
    assert [
        (where, name)
        for where, name in imports(sources("durable_django"))
        if banned & set(name.split("."))
    ] == []


def test_nothing_is_marked_safe_by_hand():
    by_name = [
        (where, name)
        for where, name in imports(sources("durable_django", "example_project"))
        if name.endswith((".mark_safe", ".SafeString", ".SafeData"))
    ]
    in_templates = [
        str(path.relative_to(ROOT))
        for path in sorted(PACKAGE.rglob("*.html"))
        if re.search(r"\|\s*safe\b|autoescape\s+off", path.read_text(encoding="utf-8"))
    ]
    assert by_name + in_templates == []


def test_only_the_gate_encodes_json():
    gated = sources("durable_django/definition", "durable_django/engine", "durable_django/store")
    assert [
        (where, name)
        for where, name in imports(gated)
        if name.split(".")[0] in {"json", "simplejson", "orjson", "ujson"}
        # The gate, and the words of a case's label, which are never stored as a value.
        and not where.startswith(
            ("durable_django/engine/values.py:", "durable_django/definition/branch.py:")
        )
    ] == []


def test_there_is_no_naive_datetime():
    naive = re.compile(r"\b(utcnow|utcfromtimestamp|datetime\.today|datetime\.now)$")
    unzoned = [
        where
        for where, node in nodes(sources("durable_django", "example_project"))
        if isinstance(node, ast.Call)
        and naive.search(ast.unparse(node.func))
        and not (node.args or node.keywords)
    ]
    assert unzoned == []


def test_only_the_clock_of_the_store_asks_for_the_time():
    host_clock = re.compile(r"\b(timezone\.now|datetime\.now|time\.time(_ns)?|Now)$")
    asked = [
        (where, name)
        for where, name in calls(
            sources("durable_django/definition", "durable_django/engine", "durable_django/store")
        )
        if host_clock.search(name) and not where.startswith("durable_django/store/clock.py:")
    ]
    assert asked == []


def test_the_definition_and_the_engine_know_no_database_and_no_settings():
    banned = ("django.db", "django.conf", "django.contrib", "logging", "durable_django.models")
    assert [
        (where, name)
        for where, name in imports(sources("durable_django/definition", "durable_django/engine"))
        if name.startswith(banned) and not where.startswith("durable_django/definition/workflow.py")
    ] == []


def test_no_row_names_code_to_import():
    importing = {"import_module", "import_string", "__import__", "eval", "exec"}
    # The names of the app, and the setting EXECUTOR.
    allowed = ("durable_django/__init__.py:", "durable_django/executors/executor.py:")
    assert [
        (where, name)
        for where, name in calls(sources("durable_django"))
        if name.split(".")[-1] in importing and not where.startswith(allowed)
    ] == []


def test_only_the_store_writes_rows():
    writing = re.compile(
        r"\.(save|asave|bulk_create|bulk_update|get_or_create|update_or_create)$|objects\.create$"
    )
    elsewhere = [path for path in sources("durable_django") if "store" not in path.parts]
    assert [(where, name) for where, name in calls(elsewhere) if writing.search(name)] == []


def test_every_race_mark_is_explained_by_one_test():
    marked = {
        mark
        for path in sources("durable_django")
        for mark in RACE_MARK.findall(path.read_text(encoding="utf-8"))
    }
    explained = Counter(
        mark
        for path in sources("tests")
        if path != Path(__file__).resolve()
        for mark in RACE_MARK.findall(path.read_text(encoding="utf-8"))
    )
    assert {mark: explained[mark] for mark in marked if explained[mark] != 1} == {}
    assert sorted(set(explained) - marked) == []


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX"])
def test_nothing_is_left_for_later_in_a_comment(word):
    mark = re.compile(rf"#.*\b{word}\b")
    assert [
        str(path.relative_to(ROOT))
        for path in sources("durable_django", "example_project")
        if mark.search(path.read_text(encoding="utf-8"))
    ] == []
