"""Who may answer: the one it is assigned to, by name, by group or by a permission.

Read-only. Superusers have every permission, but are no other user and in no other group: what is
assigned to somebody is for nobody else.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db.models import Q

if TYPE_CHECKING:
    from ..models import Wait

NOBODY = Q(pk__in=())


class Person:
    """A user as far as answering goes; the groups are read once."""

    def __init__(self, user: Any) -> None:
        self.user = user

    @property
    def is_active(self) -> bool:
        """Whether it is somebody who is logged in and may do anything at all."""
        return bool(self.user.is_authenticated and self.user.is_active)

    @cached_property
    def groups(self) -> list[str]:
        """The names of the groups; a user model of one's own need not have any."""
        groups = getattr(self.user, "groups", None)
        return [] if groups is None else sorted(groups.values_list("name", flat=True))

    @property
    def permissions(self) -> list[str]:
        """What the project's authentication backends say this user has, "app.codename"."""
        read = getattr(self.user, "get_all_permissions", None)
        return [] if read is None else sorted(read())

    def may_answer(self, wait: Wait) -> bool:
        """See :func:`may_answer`."""
        if not self.is_active:
            return False
        if wait.assignee_kind == "user":
            return bool(self.user.get_username() == wait.assignee)
        if wait.assignee_kind == "group":
            return wait.assignee in self.groups
        if wait.assignee_kind == "permission":
            return hasattr(self.user, "has_perm") and bool(self.user.has_perm(wait.assignee))
        return True


def may_answer(wait: Wait, user: Any) -> bool:
    """Whether ``user`` is the one, or among those, that an input is waited for from. What is
    assigned to nobody may be answered by everybody who is logged in and active."""
    return Person(user).may_answer(wait)


def check_may_answer(wait: Wait, user: Any) -> None:
    """PermissionDenied, naming who it is for, where ``user`` may not answer."""
    if not may_answer(wait, user):
        asked = f"{wait.assignee_kind} {wait.assignee}" if wait.assignee_kind else "active users"
        who = user.get_username() or "an anonymous user"
        raise PermissionDenied(f'{who} may not answer "{wait.name}": it is for {asked}')


def answerable_by(user: Any) -> Q:
    """What ``user`` may answer, as a condition on waits: the inbox.

    >>> PendingInput.objects.filter(answerable_by(request.user))  # doctest: +SKIP
    """
    person = Person(user)
    if not person.is_active:
        return NOBODY
    by_name = Q(assignee_kind="user", assignee=user.get_username())
    by_group = Q(assignee_kind="group", assignee__in=person.groups)
    by_permission = Q(assignee_kind="permission")
    if not getattr(user, "is_superuser", False):
        by_permission &= Q(assignee__in=person.permissions)
    return Q(assignee_kind="") | by_name | by_group | by_permission
