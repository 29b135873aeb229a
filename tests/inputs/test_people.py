"""Who may answer, asked of one wait and of the whole inbox: both say the same."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied

from durable_django.inputs.people import answerable_by, check_may_answer, may_answer
from durable_django.models import PendingInput
from tests.inputs.waits import ask

ASSIGNEES = [
    "",
    "user:anna",
    "user:bob",
    "group:Managers",
    "group:Clerks",
    "permission:durable_django.cancel_execution",
    "permission:shop.unheard_of",
]


def inbox_of(user):
    """What may be answered, by both ways of asking."""
    for assignee in ASSIGNEES:
        ask(to=assignee)
    every = list(PendingInput.objects.all())
    by_row = [wait.pk for wait in every if may_answer(wait, user)]
    found = PendingInput.objects.filter(answerable_by(user)).order_by("id")
    assert [wait.pk for wait in found] == by_row
    return [f"{wait.assignee_kind}:{wait.assignee}" for wait in found]


def test_a_user_answers_what_is_assigned_to_him_or_to_nobody(person):
    assert inbox_of(person("anna")) == [":", "user:anna"]


def test_groups_and_permissions_are_those_of_the_user(person):
    user = person("carl", groups=["Managers", "Others"], permissions=["cancel_execution"])
    assert inbox_of(user) == [
        ":",
        "group:Managers",
        "permission:durable_django.cancel_execution",
    ]


def test_a_permission_may_come_from_a_group(person):
    user = person("dora", groups=["Bosses"])
    user.groups.get().permissions.set(
        person("x", permissions=["cancel_execution"]).user_permissions.all()
    )
    assert inbox_of(user) == [":", "permission:durable_django.cancel_execution"]


def test_a_superuser_has_every_permission_but_is_nobody_else(person):
    assert inbox_of(person("root", is_superuser=True)) == [
        ":",
        "permission:durable_django.cancel_execution",
        "permission:shop.unheard_of",
    ]


@pytest.mark.parametrize("fields", [{}, {"is_superuser": True}])
def test_who_is_not_active_answers_nothing(person, fields):
    assert inbox_of(person("anna", is_active=False, **fields)) == []


def test_who_is_not_logged_in_answers_nothing(db):
    assert inbox_of(AnonymousUser()) == []


def test_the_refusal_says_whom_it_is_for(person):
    anna = person("anna")
    with pytest.raises(
        PermissionDenied, match='anna may not answer "approval": it is for user bob'
    ):
        check_may_answer(ask(to="user:bob"), anna)
    with pytest.raises(PermissionDenied, match=r"an anonymous user may not .* active users"):
        check_may_answer(ask(), AnonymousUser())
    check_may_answer(ask(to="user:anna"), anna)


class Bare:
    """A user model of a project's own, without groups and permissions."""

    is_authenticated = is_active = True

    def get_username(self):
        return "anna"


def test_a_user_model_without_groups_and_permissions_will_do(db):
    assert inbox_of(Bare()) == [":", "user:anna"]
