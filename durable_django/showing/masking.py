"""What must not be shown: values under the keys that a workflow or the settings call sensitive.

Keys match whole and whatever their case, at any depth. Text (logs, errors, tags) has no keys: there
``key=value`` and the like are masked, and so is every longer secret seen under a key of that run.
That is the best one can do with text, not a promise.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from ..conf import settings
from ..definition import registry
from ..engine.results import MemberFailure
from ..models import WorkflowDefinition
from .previews import Preview

DOTS: Final = "••••••"
SECRET_LENGTH_MIN: Final = 6
SECRETS_MAX: Final = 1_000
# What can be secret beside texts.
PLAIN: Final = (int, float, Decimal, UUID, bytes, date, time, timedelta)


class Masked:
    """Stands where a value was."""

    def __repr__(self) -> str:
        return DOTS


MASKED: Final = Masked()

# After the key: "=" or ":", then a quoted text, something in brackets, or a run of non-spaces with
# what belongs to it ("Bearer abc", "4111 1111 1111 1111"). Quotes may be escaped: JSON in a text.
_AFTER_KEY: Final = (
    r"""(?P<between>\\*["']?\s*[=:]\s*)"""
    r"""(?:\\*"(?:[^"\\]|\\[^"])*\\*"|'(?:[^'\\]|\\.)*'|\{[^{}]*\}|\[[^\[\]]*\]"""
    r"""|(?:(?:Basic|Bearer|Token)\s+)?[^\s,;&)\]}"']+(?:[ -]\d+)*)"""
)


class Mask:
    """Hides the values of sensitive keys, case-insensitively.

    >>> Mask(["card"]).value({"order": {"Card": "4111", "total": 3}})
    {'order': {'Card': ••••••, 'total': 3}}
    >>> Mask(["card"]).text("charged card=4111 at once")
    'charged card=•••••• at once'
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = frozenset(key.casefold() for key in keys if key)
        self._secrets: set[str] = set()
        self._secret: re.Pattern[str] | None = None
        self._pair: re.Pattern[str] | None = None
        if self._keys:
            any_key = "|".join(re.escape(key) for key in sorted(self._keys, key=len, reverse=True))
            pattern = rf"(?P<key>(?<![^\W_])(?:{any_key})){_AFTER_KEY}"
            self._pair = re.compile(pattern, re.IGNORECASE)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to hide."""
        return not self._keys

    @property
    def pattern(self) -> str:
        """What a stored text contains that could have something to hide, as a regular expression
        for the database, whatever the case."""
        return "|".join(re.escape(key) for key in sorted(self._keys))

    def hides(self, key: str) -> bool:
        """Whether what stands under ``key`` is sensitive."""
        return key.casefold() in self._keys

    def value(self, value: Any) -> Any:
        """A copy of ``value`` with what is sensitive replaced; containers keep their type."""
        if isinstance(value, Mapping):
            return {
                key: MASKED if self.hides(key) else self.value(item) for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, tuple):
            return tuple(self.value(item) for item in value)
        if isinstance(value, set):
            return {self.value(item) for item in value}
        if isinstance(value, Preview):
            return Preview([self.value(item) for item in value.items], value.more)
        if isinstance(value, MemberFailure):
            return MemberFailure(value.type, self.text(value.message))
        if isinstance(value, str):
            return self._without_secrets(value)
        return MASKED if self._is_secret(value) else value

    def _is_secret(self, value: Any) -> bool:
        """Whether a value that is no text is one that stands under a sensitive key, too."""
        if not self._secrets or isinstance(value, bool) or not isinstance(value, PLAIN):
            return False
        return not self._secrets.isdisjoint(_texts(value))

    def under(self, key: str, value: Any) -> Any:
        """``value`` as it may be shown beside ``key``."""
        return MASKED if self.hides(key) else self.value(value)

    def under_any(self, keys: Iterable[str], value: Any) -> Any:
        """The same for what stands under several keys, one within another."""
        return MASKED if any(map(self.hides, keys)) else self.value(value)

    def learn(self, value: Any) -> None:
        """Remembers what stands under sensitive keys in ``value``, to hide it in texts too."""
        if isinstance(value, Mapping):
            for key, item in value.items():
                if self.hides(key):
                    self.learn_secret(item)
                else:
                    self.learn(item)
        elif isinstance(value, list | tuple | set):
            for item in value:
                self.learn(item)

    def learn_secret(self, value: Any) -> None:
        """Remembers ``value``, and all in it, as secret; not what is short: ``1`` is everywhere."""
        if isinstance(value, Mapping):
            value = list(value.values())
        if isinstance(value, list | tuple | set):
            for item in value:
                self.learn_secret(item)
        elif isinstance(value, (str, *PLAIN)) and len(self._secrets) < SECRETS_MAX:
            self._secrets.update(text for text in _texts(value) if len(text) >= SECRET_LENGTH_MIN)
            self._secret = None

    def text(self, text: str) -> str:
        """A free text without the secrets one can find in it."""
        text = self._without_secrets(text)
        if self._pair is None:
            return text
        return self._pair.sub(lambda found: f"{found['key']}{found['between']}{DOTS}", text)

    def _without_secrets(self, text: str) -> str:
        if not self._secrets:
            return text
        if self._secret is None:
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._secret = re.compile("|".join(re.escape(secret) for secret in longest_first))
        return self._secret.sub(DOTS, text)


def _texts(value: Any) -> set[str]:
    """How a secret may stand in a text: as it is, and as JSON and Python quote it."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    quoted = (json.dumps(text), json.dumps(text, ensure_ascii=False), repr(text), repr(value))
    return {text, *(each[1:-1] for each in quoted[:3]), quoted[3]}


def dotted(value: Any) -> Any:
    """A masked value as one that can be stored: dots are a text there."""
    if isinstance(value, Masked):
        return DOTS
    if isinstance(value, Mapping):
        return {key: dotted(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return type(value)(dotted(item) for item in value)
    return value


class Masks:
    """The masks of several workflows, for at most one query; with ``reveal`` they hide nothing,
    for those who may see it all."""

    def __init__(self, workflows: Iterable[tuple[str, int]], *, reveal: bool = False) -> None:
        self._keys = None if reveal else _sensitive_keys(set(workflows))

    def of(self, name: str, version: int) -> Mask:
        """A fresh mask of one workflow; it learns from one run only."""
        return Mask(() if self._keys is None else self._keys[name, version])


def _sensitive_keys(workflows: set[tuple[str, int]]) -> dict[tuple[str, int], set[str]]:
    """Per workflow what any of its versions calls sensitive. One whose code is not here gets what
    its stored definition says and what all others call sensitive: too much rather than too little.
    """
    declared: defaultdict[str, set[str]] = defaultdict(set)
    registered = set()
    for cls in registry.all():
        definition = cls.definition
        declared[definition.name].update(definition.options.sensitive)
        registered.add((definition.name, definition.version))
    strangers = workflows - registered
    if strangers:
        everything = set().union(*declared.values())
        for name, found in _stored_keys({name for name, _version in strangers}):
            declared[name].update(found)
        for name, _version in strangers:
            declared[name].update(everything)
    always = set(settings.SENSITIVE)
    return {workflow: declared[workflow[0]] | always for workflow in workflows}


def _stored_keys(names: set[str]) -> list[tuple[str, list[str]]]:
    rows = WorkflowDefinition.objects.using(settings.DATABASE).filter(name__in=names)
    return [(row.name, list(row.structure.get("sensitive", ()))) for row in rows]


def sources_of_items(name: str, version: int) -> dict[str, str]:
    """Of each foreach of a workflow the node or the context key its items come from, as far as the
    code, or else what is stored of it, can tell."""
    found = [cls.definition for cls in registry.all()]
    structures = [d.structure() for d in found if (d.name, d.version) == (name, version)]
    if not structures:
        rows = WorkflowDefinition.objects.using(settings.DATABASE)
        structures = [row.structure for row in rows.filter(name=name, version=version)]
    return {node: source for structure in structures for node, source in _sources(structure)}


def _sources(structure: Any) -> Iterator[tuple[str, str]]:
    for node in structure.get("nodes") or structure.get("children") or ():
        if node.get("items"):
            source = str(node["items"])
            yield node["name"], source.removeprefix('context key "').removesuffix('"')
        yield from _sources(node)
