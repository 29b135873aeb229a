"""The wheel that people install: what it holds, and that an empty project runs with it alone.

Nothing of the checkout may be on the path here: the project that installs it lives elsewhere.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ["setup.py", "pyproject.toml", "README.md", "LICENSE", "durable_django"]

WORKFLOWS = """
from durable_django import Workflow, step

class Greet(Workflow):
    @step
    def hello(self):
        return "Hello " + self.input["name"]
"""

RUN_ONE = """
import durable_django as durable
from django.core.management import call_command
from greetings.workflows import Greet

execution = durable.start(Greet, {"name": "wheel"})
call_command("durable_worker", burst=True)
print(durable.get_execution(execution.id).get_result(timeout=0))
"""


def run(*command: object, cwd: Path) -> str:
    """What the command says, on both streams; a failure shows it."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "DJANGO_", "DATABASE_URL", "DURABLE_"))
    }
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: building leaves its traces beside the sources."""
    copy = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".*")
            )
        else:
            shutil.copy(ROOT / name, copy / name)
    built = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", built, copy, cwd=built)
    (path,) = built.glob("*.whl")
    return path


def test_the_wheel_holds_everything_that_the_checkout_has(wheel: Path):
    wanted = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "durable_django").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == wanted


def test_the_wheel_holds_commands_migrations_templates_static_files_and_types(wheel: Path):
    held = zipfile.ZipFile(wheel).namelist()
    assert "durable_django/py.typed" in held
    assert "durable_django/management/commands/durable_worker.py" in held
    assert "durable_django/migrations/0001_initial.py" in held
    assert any(name.startswith("durable_django/templates/") for name in held)
    assert any(name.startswith("durable_django/static/") for name in held)
    assert "durable_django/locale/de/LC_MESSAGES/django.mo" in held
    assert any(name.endswith("/licenses/LICENSE") for name in held)


def test_an_empty_project_runs_a_workflow_with_the_wheel_alone(wheel: Path, tmp_path: Path):
    run(sys.executable, "-m", "venv", "env", cwd=tmp_path)
    python = tmp_path / "env" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", f"{wheel}", "psycopg[binary]", cwd=tmp_path)
    run(python, "-m", "django", "startproject", "fresh", ".", cwd=tmp_path)
    run(python, "-m", "django", "startapp", "greetings", cwd=tmp_path)
    (tmp_path / "greetings" / "workflows.py").write_text(WORKFLOWS)
    with (tmp_path / "fresh" / "settings.py").open("a") as settings:
        settings.write('\nINSTALLED_APPS += ["durable_django", "greetings"]\n')

    run(python, "manage.py", "check", cwd=tmp_path)
    run(python, "manage.py", "migrate", cwd=tmp_path)
    run(python, "manage.py", "makemigrations", "--check", "--dry-run", cwd=tmp_path)
    said = run(python, "manage.py", "shell", "-c", RUN_ONE, cwd=tmp_path)
    assert said.rstrip().endswith("Hello wheel")
