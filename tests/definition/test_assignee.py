"""Assignees: a user, a group or a permission, however it is written."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.utils.functional import SimpleLazyObject

from durable_django.definition.assignee import read_assignee


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        ("user:anna", ("user", "anna")),
        ("user:anna.smith@example.com", ("user", "anna.smith@example.com")),
        ("group:Managers", ("group", "Managers")),
        ("group:Board: members of 2030", ("group", "Board: members of 2030")),
        ("permission:shop.approve", ("permission", "shop.approve")),
        ("shop.approve_order", ("permission", "shop.approve_order")),
        (User(username="anna"), ("user", "anna")),
        (SimpleLazyObject(lambda: User(username="anna")), ("user", "anna")),
        (Group(name="Managers"), ("group", "Managers")),
    ],
)
def test_whom_a_request_is_for(given, kept):
    assert read_assignee(given) == kept


@pytest.mark.parametrize(
    "given",
    [
        "anna",
        "",
        "team:Managers",
        ":anna",
        "user:",
        "group: ",
        "permission:approve",
        "permission:shop.approve.order",
        "shop.",
        ".approve",
        "shop.approve order",
        "user:an\0na",
        "group:\ud800",
        AnonymousUser(),
        Group(name=""),
    ],
)
def test_who_names_nobody_is_told_how_it_is_written(given):
    with pytest.raises(
        ValueError, match=r'^assignee is a user, a group or a permission: .*"user:an'
    ):
        read_assignee(given)


@pytest.mark.parametrize(
    "given", [7, True, ["user:anna"], ("user", "anna"), Permission(codename="x"), User, object()]
)
def test_what_is_none_of_the_three_is_told_so(given):
    with pytest.raises(TypeError, match=r"^assignee is a user, a group or a permission: .* not "):
        read_assignee(given)


def test_a_name_fits_its_column():
    assert read_assignee("user:" + "a" * 255) == ("user", "a" * 255)
    with pytest.raises(ValueError, match="assignee has at most 255 characters, not 256"):
        read_assignee("user:" + "a" * 256)


def test_the_error_calls_it_what_the_caller_does():
    with pytest.raises(ValueError, match=r"^reviewer is "):
        read_assignee("anna", "reviewer")
