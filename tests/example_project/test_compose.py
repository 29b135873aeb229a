"""The compose file: what it starts exists. It is not started here."""

import re
import shlex
from pathlib import Path

import pytest
from django.core.management import get_commands

HERE = Path(__file__).resolve().parents[2] / "example_project"
COMPOSE = (HERE / "compose.yaml").read_text(encoding="utf-8")
SETTINGS = (HERE / "settings.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", re.findall(r"command: python manage\.py (.+)", COMPOSE))
def test_its_commands_are_there(command):
    assert shlex.split(command)[0] in get_commands()


@pytest.mark.parametrize(
    "name",
    ["DATABASE_URL", "REDIS_URL", "EXECUTOR", "BASE_URL", "CLUSTER_WORKERS"],
)
def test_the_settings_read_what_it_sets(name):
    assert f"    {name}:" in COMPOSE
    assert f'"{name}"' in SETTINGS


def test_the_heavy_cluster_is_one_that_the_settings_name():
    assert "Q_CLUSTER_NAME: heavy" in COMPOSE
    assert '"ALT_CLUSTERS": {"heavy":' in SETTINGS


def test_what_the_image_copies_is_there():
    copied = re.findall(r"^COPY (.+) \S+$", (HERE / "Dockerfile").read_text(), re.MULTILINE)
    names = [name for line in copied for name in line.split()]
    assert names == ["setup.py", "README.md", "durable_django", "manage.py", "example_project"]
    assert all((HERE.parent / name).exists() for name in names)
