"""For templates: how many requests for input wait for the person who looks at a page. It reads
rows only."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django import template

from ..inputs.api import list_pending_inputs

COUNTED_MAX: Final = 99

register = template.Library()


class Waiting(NamedTuple):
    """How many requests wait for somebody; ``more``: at least so many."""

    number: int
    more: bool


@register.simple_tag(takes_context=True)
def waiting_for_me(context: Any) -> Waiting | None:
    """How many inputs wait for the user of the request; None for who may not see any.

    Example: ``{% waiting_for_me as waiting %}{{ waiting.number }}``.
    """
    user = context["request"].user
    if not user.has_perm("durable_django.view_pendinginput"):
        return None
    found = list_pending_inputs(user).order_by()[: COUNTED_MAX + 1].count()
    return Waiting(min(found, COUNTED_MAX), found > COUNTED_MAX)
