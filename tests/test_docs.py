"""The documentation is true: its examples run, its links lead somewhere, its tables are complete.

A page reads as a session: its blocks run from top to bottom and share their names.

    ```python           runs; the functions test_… that it defines are called with their fixtures
    ```python no-run    is only compiled: what needs another machine, or would not end
    ```pycon            runs by doctest; "..." stands for anything
    ```console          a session in a terminal, compared in the same way (see docs_console.py)
    ```console no-run   its commands and options exist: what reads a pipe, or would not end
    <!-- python … -->   runs, unseen by the reader: what the page takes for granted
"""

import doctest
import importlib
import inspect
import pkgutil
import re
import unittest
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.management.base import BaseCommand
from django.db import transaction

import durable_django
import example_project.settings
from durable_django import conf, exceptions, testing
from durable_django.definition import registry
from durable_django.management.commands.durable_worker import Command
from durable_django.models import EventStatus, ExecutionStatus, StepStatus, WaitStatus
from durable_django.terminal import COMMANDS
from tests.docs_console import parse_console, parse_durable, run_console
from tests.docs_shop import import_as_shop, make_process_order

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
GUIDE = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.parent != ROOT)

BLOCK = re.compile(
    r"^(?:```(?P<language>\w+)(?P<marks>[^\n]*)|<!-- (?P<hidden>python))\n"
    r"(?P<source>.*?)^(?:```|-->)[ ]*$",
    re.MULTILINE | re.DOTALL,
)
DOCTEST_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Block(NamedTuple):
    """A fenced block of a page; `line` is that of its first line of source, counted from 1."""

    language: str
    marks: str
    source: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            found["language"] or found["hidden"],
            (found["marks"] or "").strip(),
            found["source"],
            text.count("\n", 0, found.start("source")) + 1,
        )
        for found in BLOCK.finditer(text)
    ]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def section(page: str, heading: str) -> str:
    """The text of a page from a heading to the next of its rank."""
    text = (ROOT / page).read_text(encoding="utf-8")
    rank = heading.split(" ")[0]
    return re.split(rf"^{rank} ", text.split(f"{heading}\n")[1], flags=re.MULTILINE)[0]


# -- examples --------------------------------------------------------------------------------


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[dict[str, Any]]:
    """The names a page begins with: those of a settings module, and an empty registry."""
    import_as_shop(monkeypatch)
    settings.DURABLE = {**settings.DURABLE, "BASE_URL": "https://shop.example"}
    with registry.isolate():
        registry._classes.clear()
        yield {
            "__name__": "shop.workflows",
            "BASE_DIR": ROOT,
            "INSTALLED_APPS": ["django.contrib.admin"],
            "MIDDLEWARE": [],
        }
    testing.reset()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_the_examples_of_a_page_run_as_one_session(page, names, request):
    for block in blocks_of(page):
        if block.language == "pycon":
            run_session(page, block, names)
        elif block.language == "console":
            assert block.marks in ("", "no-run"), f"{name_of(page)}:{block.line}: {block.marks}"
            if block.marks == "no-run":
                parse_console(block.source)
            else:
                run_console(block.source, names.get("stands_for", {}))
        elif block.language == "python":
            run_block(page, block, names, request)


def run_block(page: Path, block: Block, names: dict[str, Any], request: Any) -> None:
    # Empty lines before it, so that a traceback and a DefinitionError name the page's own line.
    source = "\n" * (block.line - 1) + block.source
    code = compile(source, str(page), "exec", dont_inherit=True)
    assert block.marks in ("", "no-run"), f"{name_of(page)}:{block.line}: {block.marks}"
    if block.marks == "no-run":
        return
    before = dict(names)
    exec(code, names)
    for name, value in list(names.items()):
        if before.get(name) is not value and getattr(value, "__module__", "") == names["__name__"]:
            run_test(name, value, request)


def run_test(name: str, value: Any, request: Any) -> None:
    """Runs what a block defines if it is a test, as pytest and unittest would."""
    if inspect.isfunction(value) and name.startswith("test_"):
        wanted = inspect.signature(value).parameters
        arguments = {fixture: request.getfixturevalue(fixture) for fixture in wanted}
        with transaction.atomic():
            value(**arguments)
            transaction.set_rollback(True)
        testing.reset()
    elif inspect.isclass(value) and issubclass(value, unittest.TestCase):
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(value).run(result)
        assert result.testsRun
        assert [text for _, text in (*result.errors, *result.failures)] == []
        testing.reset()


def run_session(page: Path, block: Block, names: dict[str, Any]) -> None:
    parser = doctest.DocTestParser()
    test = parser.get_doctest(block.source, {}, page.name, str(page), block.line - 1)
    assert test.examples, f"{name_of(page)}:{block.line}: no >>> in it"
    test.globs = names  # get_doctest keeps a copy, in which later blocks would not see its names
    run_doctest(test)


def run_doctest(test: doctest.DocTest) -> None:
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=DOCTEST_FLAGS)
    runner.run(test, out=said.append, clear_globs=False)
    assert runner.failures == 0, "".join(said)


def modules() -> list[str]:
    walked = pkgutil.walk_packages(durable_django.__path__, "durable_django.")
    names = ("durable_django", *(module.name for module in walked))
    return [name for name in names if ".migrations" not in name]


@pytest.mark.django_db
def test_the_examples_in_docstrings_run(names):
    known = {"durable": durable_django, "ProcessOrder": make_process_order()}
    found = 0
    for name in modules():
        for test in doctest.DocTestFinder().find(importlib.import_module(name)):
            test.globs = {**test.globs, **known}
            run_doctest(test)
            found += len(test.examples)
    assert found


def test_every_block_says_what_it_is():
    assert [
        f"{name_of(page)}:{number}"
        for page in PAGES
        for number, line, opens in fences(page)
        if opens and line.strip() == "```"
    ] == []


def test_every_command_of_the_terminal_has_a_section_with_an_example_that_runs():
    page = (ROOT / "docs" / "terminal.md").read_text(encoding="utf-8")
    parts = re.split(r"^## `(\S+)`[^\n]*$", page, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert [
        command.name
        for command in COMMANDS
        if not re.search(
            rf"^```console\n(?:(?!^```).*\n)*\$ python manage.py durable {command.name}\b",
            sections.get(command.name, ""),
            re.MULTILINE,
        )
    ] == []


def fences(page: Path) -> Iterator[tuple[int, str, bool]]:
    opens = True
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            yield number, line, opens
            opens = not opens


def test_every_command_in_a_shell_block_exists():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    unknown = []
    for page in PAGES:
        for block in blocks_of(page):
            for line in block.source.splitlines() if block.language == "shell" else ():
                words = line.split("#")[0].split()
                if words[:1] == ["make"] and words[1] not in targets:
                    unknown.append(f"{name_of(page)}: {line}")
                if words[:3] == ["python", "manage.py", "durable"]:
                    parse_durable(words[3:])
                if "durable_worker" in words:
                    worker_parser().parse_args(words[words.index("durable_worker") + 1 :])
    assert unknown == []


# -- links -----------------------------------------------------------------------------------

LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")


def prose_of(page: Path) -> str:
    """A page without its fenced blocks."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def links_of(page: Path) -> list[str]:
    return [target or other for target, other in LINK.findall(prose_of(page))]


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_links_of_a_page_lead_somewhere(page):
    broken = []
    for link in links_of(page):
        target, _, anchor = link.partition("#")
        if target.startswith(("http://", "https://")):
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and anchor not in anchors_of(path)):
            broken.append(link)
    assert broken == []


def test_every_page_is_reached_from_the_index():
    linked = {link.partition("#")[0] for link in links_of(ROOT / "docs" / "index.md")}
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in PAGES[1:]}
    assert pages - {"index.md"} <= linked


# -- completeness ----------------------------------------------------------------------------


def worker_parser() -> ArgumentParser:
    return Command().create_parser("manage.py", "durable_worker")


def test_every_setting_is_documented_with_its_default():
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `([^|]+)` \|", page, re.MULTILINE)
    told = {key: eval(default, {"timedelta": timedelta}) for key, default in rows}  # noqa: S307
    assert told == conf.DEFAULTS


def test_every_public_name_is_documented():
    assert [
        name
        for name in durable_django.__all__
        if not re.search(rf"(?<![\w.]){re.escape(name)}\b|durable\.{re.escape(name)}\b", GUIDE)
    ] == []


def test_signatures_are_those_of_the_code():
    told = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    functions = ["start", "get_execution", "list_executions", "cancel", "retry", "get_result"]
    functions += ["pause", "resume"]
    functions += ["send_event", "publish_event", "provide_input", "list_pending_inputs"]
    assert [
        signature
        for name in [*functions, "list_children"]
        if (signature := signature_of(getattr(durable_django, name))) not in told
    ] == []
    steps = (ROOT / "docs" / "steps.md").read_text(encoding="utf-8")
    call = re.search(r"`(Retry\(max_attempts=[^`]+\))`", steps)[1]
    assert eval(call, dict(vars(durable_django))) == durable_django.Retry()  # noqa: S307


def signature_of(function: Any) -> str:
    """As the documentation writes it: without annotations."""
    parameters = inspect.signature(function).parameters.values()
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    text = str(inspect.Signature(plain)).replace("'", '"')
    return f"`{function.__name__}{text}`"


def test_every_function_of_the_context_is_documented():
    from durable_django import context

    told = (ROOT / "docs" / "context.md").read_text(encoding="utf-8")
    public = [
        name
        for name, value in vars(context).items()
        if inspect.isfunction(value)
        and value.__module__ == context.__name__
        and not name.startswith("_")
    ]
    assert [name for name in public if f"{name}(" not in told] == []


def test_every_function_of_the_test_kit_is_documented():
    told = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    public = [
        name
        for name, value in vars(testing).items()
        if inspect.isfunction(value)
        and value.__module__ == testing.__name__
        and not name.startswith("_")
    ]
    assert [name for name in public if name not in told] == []


def test_every_error_is_documented():
    told = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    errors = [
        name
        for name, value in vars(exceptions).items()
        if inspect.isclass(value) and value.__module__ == exceptions.__name__
    ]
    assert [name for name in errors if f"`{name}" not in told] == []


def test_every_option_of_the_worker_is_documented():
    told = section("docs/worker.md", "## Options")
    django_own = BaseCommand().create_parser("manage.py", "x")._option_string_actions
    own = set(worker_parser()._option_string_actions) - set(django_own)
    assert {option for option in own if f"`{option}" not in told} == set()


def test_every_status_is_documented():
    told = (ROOT / "docs" / "internals.md").read_text(encoding="utf-8")
    wanted = {*ExecutionStatus.values, *StepStatus.values}
    wanted |= {*WaitStatus.values, *EventStatus.values}
    assert {status for status in wanted if f"`{status}`" not in told} == set()


def test_the_settings_of_the_documentation_are_those_of_the_example_project():
    """What we recommend for SQLite is what we run ourselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATABASE_URL", raising=False)
        options = example_project.settings.database("sqlite:///db.sqlite3")["OPTIONS"]
    told = (ROOT / "docs" / "worker.md").read_text(encoding="utf-8")
    assert f'"transaction_mode": "{options["transaction_mode"]}"' in told
    assert f'"init_command": "{options["init_command"]}"' in told
