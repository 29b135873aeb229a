"""Tags of a run as the texts that are shown of them. It reads nothing."""

from __future__ import annotations

from collections.abc import Mapping

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
