"""People who answer."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User

from durable_django.definition import registry


@pytest.fixture(autouse=True)
def _isolated() -> Iterator[None]:
    """Workflows made in a test are forgotten after it."""
    with registry.isolate():
        yield


@pytest.fixture
def person(db: None) -> Callable[..., User]:
    """`person("anna", groups=["Managers"], permissions=["answer_input"])`."""

    def make(
        name: str = "anna",
        *,
        groups: list[str] | None = None,
        permissions: list[str] | None = None,
        **fields: Any,
    ) -> User:
        user = User.objects.create_user(name, **{"email": f"{name}@shop.example", **fields})
        user.groups.set([Group.objects.get_or_create(name=group)[0] for group in groups or []])
        rows = Permission.objects.filter(
            content_type__app_label="durable_django", codename__in=permissions or []
        )
        assert len(rows) == len(permissions or [])
        user.user_permissions.set(rows)
        return user

    return make
