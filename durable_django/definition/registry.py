"""The registry: which workflow classes there are, by name and version.

Filled by the classes themselves as they are imported. It imports no workflow; finding them is the
app's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from durable_django.definition.spelling import did_you_mean
from durable_django.exceptions import DefinitionError, WorkflowNotFound

if TYPE_CHECKING:
    from durable_django.definition.workflow import Workflow

_classes: dict[str, dict[int, type[Workflow]]] = {}


def register(cls: type[Workflow], *, filename: str | None = None, line: int | None = None) -> None:
    """Makes `cls` known under its name and version. Called when the class is complete.

    The same class again (same module and qualified name, as after a reload) takes the old one's
    place; another one under that name and version is a DefinitionError, at `filename` and `line`.
    """
    definition = cls.definition
    versions = _classes.setdefault(definition.name, {})
    earlier = versions.get(definition.version)
    if earlier is not None and _identity(earlier) != _identity(cls):
        raise DefinitionError(
            f'{cls.__qualname__}: "{definition.name}" version {definition.version} is '
            f"{earlier.__module__}.{earlier.__qualname__} already; give one of them another "
            "Meta.name or Meta.version",
            filename=filename,
            line=line,
        )
    versions[definition.version] = cls


def _identity(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def get(name: str, version: int | None = None) -> type[Workflow]:
    """The class registered as `name`; without `version` its highest. WorkflowNotFound when there is
    none.
    """
    versions = _classes.get(name)
    if not versions:
        known = ", ".join(sorted(_classes)) or "none is; is its app in INSTALLED_APPS?"
        raise WorkflowNotFound(
            f'no workflow is called "{name}"{did_you_mean(name, _classes)} (registered: {known})'
        )
    if version is None:
        return versions[max(versions)]
    if version not in versions:
        known = ", ".join(str(number) for number in sorted(versions))
        raise WorkflowNotFound(f'"{name}" has no version {version} (registered: {known})')
    return versions[version]


def all() -> list[type[Workflow]]:
    """Every registered class, by name, then version."""
    return [_classes[name][v] for name in sorted(_classes) for v in sorted(_classes[name])]


def resolve(workflow: type[Workflow] | str) -> type[Workflow]:
    """The registered class for what a caller gave: a class or a name.

    WorkflowNotFound for a name nobody has, an abstract class or one that is registered no longer;
    TypeError for anything else.
    """
    if isinstance(workflow, str):
        return get(workflow)
    if not hasattr(workflow, "_for_attempt") or not isinstance(workflow, type):
        raise TypeError(
            f"a workflow is a Workflow class or a registered name, not {workflow!r:.80}"
        )
    definition = getattr(workflow, "definition", None)
    if definition is None:
        raise WorkflowNotFound(
            f"{workflow.__qualname__} is abstract; start a class that extends it"
        )
    return get(definition.name, definition.version)


@contextmanager
def isolate() -> Iterator[None]:
    """What is registered inside is forgotten outside: for classes made in tests."""
    saved = {name: dict(versions) for name, versions in _classes.items()}
    try:
        yield
    finally:
        _classes.clear()
        _classes.update(saved)


def default_name(module: str, class_name: str) -> str:
    """The name of a class without `Meta.name`: ``"<app_label>.<ClassName>"``.

    The label is that of the installed app the module belongs to. A workflow outside any app, or
    imported before Django knows its apps, takes the package it stands in: ``a.b.workflows`` →
    ``"b"``.
    """
    label = _app_label(module)
    if label is None:
        parts = module.split(".")
        at = parts.index("workflows") if "workflows" in parts else len(parts) - 1
        label = parts[max(at - 1, 0)]
    return f"{label}.{class_name}"


def _app_label(module: str) -> str | None:
    if "django.apps" not in sys.modules:
        return None
    from django.apps import apps

    # Not get_containing_app_config(): models.py may import a workflow before all apps are ready.
    around = [
        config
        for config in apps.app_configs.values()
        if module == config.name or module.startswith(config.name + ".")
    ]
    return max(around, key=lambda config: len(config.name)).label if around else None
