"""The checks together: Django runs them, and the documentation knows them."""

import ast
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.checks import Tags, registry, run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings

from durable_django import checks
from durable_django.checks import check_database, check_settings, check_workflows
from durable_django.conf import DEFAULTS

# Django's own checks of the models ask the database what it can do.
pytestmark = pytest.mark.django_db

PAGE = Path(__file__).resolve().parents[2] / "docs" / "checks.md"


def test_the_example_project_is_right():
    assert [m for m in run_checks() if str(m.id).startswith("durable_django")] == []


def test_django_runs_the_checks():
    registered = registry.registry.registered_checks
    assert {check_settings, check_database, check_workflows} <= registered
    assert check_database.tags == (Tags.database,)


def test_a_command_stops_at_an_error():
    with (
        override_settings(DURABLE={"THREADS": 0}),
        pytest.raises(SystemCheckError, match=r"durable_django\.E003"),
    ):
        call_command("check")


def test_every_id_is_documented():
    source = "".join(path.read_text("utf-8") for path in Path(checks.__file__).parent.glob("*.py"))
    raised = set(re.findall(r'id="durable_django\.([EW]\d{3})"', source))
    summary = re.findall(r"^durable_django\.([EW]\d{3})", checks.__doc__, re.MULTILINE)
    page = PAGE.read_text("utf-8")
    rows = re.findall(r"^\| `durable_django\.([EW]\d{3})`", page, re.MULTILINE)
    assert summary == rows == sorted(raised)


def test_every_setting_is_documented_with_its_default():
    rows = re.findall(r"^\| `([A-Z_]+)` \| `(.*?)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    documented = dict(rows)
    assert documented.pop("CALLBACK_MAX_AGE") == "timedelta(days=30)"
    read = {name: ast.literal_eval(default) for name, default in documented.items()}
    assert {**read, "CALLBACK_MAX_AGE": timedelta(days=30)} == DEFAULTS
