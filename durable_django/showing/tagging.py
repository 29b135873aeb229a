"""Tags of a run as the texts that are shown of them, and what a text means that asks for a tag. It
reads nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from .masking import DOTS, Mask
from .visible import visible


def tag_texts(tags: object, mask: Mask, *, whole: bool = True) -> list[str]:
    """Tags as texts: ``vip``, ``customer=42``. They are free text: under a mask that does not know
    the whole run only their names are shown, of those that have values."""
    if isinstance(tags, Mapping):
        named = (
            (str(key), mask.under(str(key), value) if whole else DOTS)
            for key, value in tags.items()
        )
        return [visible(mask.text(f"{key}={shown}")) for key, shown in named]
    if not isinstance(tags, list):
        return []
    return [visible(mask.text(str(tag))) if whole else DOTS for tag in tags]


def tag_matches(word: str) -> Q:
    """Runs with a tag: ``vip``, or ``customer=42`` as a text or a number."""
    found = Q(tags__tagged=[word])
    for pair in _pairs(word):
        found |= Q(tags__tagged=pair)
    return found


def _pairs(word: str) -> list[dict[str, Any]]:
    """``customer=42`` as the tags it may mean: with the text "42" and with the number."""
    name, equals, text = word.partition("=")
    if not name or not equals:
        return []
    pairs: list[dict[str, Any]] = [{name: text}]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return pairs
    if (
        value is None
        or isinstance(value, bool | int)
        or (isinstance(value, float) and value - value == 0)
    ):
        pairs.append({name: value})
    return pairs
