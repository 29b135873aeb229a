"""The people of the example: two who spend money, two managers, and the finance director.

Made by the commands of the demo, with their own names as passwords; nothing of this is for
production.
"""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import transaction

EMPLOYEES, MANAGERS, DIRECTORS = "Employees", "Managers", "Finance directors"

# Who may see the inbox and answer; what is asked of whom the workflow says.
ANSWERING = ["durable_django.view_pendinginput", "durable_django.answer_input"]

GROUPS = {
    EMPLOYEES: ["expenses.add_claim", "expenses.view_claim"],
    MANAGERS: [*ANSWERING, "expenses.view_claim"],
    DIRECTORS: [*ANSWERING, "expenses.view_claim", "expenses.approve_large_claim"],
}
PEOPLE = {
    "emma": EMPLOYEES,
    "omar": EMPLOYEES,
    "maria": MANAGERS,
    "jonas": MANAGERS,
    "felicia": DIRECTORS,
}


@transaction.atomic
def make_people() -> None:
    """Makes those who are not there yet, and their groups."""
    for name, permissions in GROUPS.items():
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.set(_permission(told) for told in permissions)
    users = get_user_model().objects
    for name, group_name in PEOPLE.items():
        mail = f"{name}@example.com"
        user, is_new = users.get_or_create(username=name, defaults={"email": mail})
        if is_new:
            user.is_staff = True
            user.set_password(name)
            user.save()
        user.groups.add(Group.objects.get(name=group_name))


def _permission(told: str) -> Permission:
    app, _, codename = told.partition(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)
