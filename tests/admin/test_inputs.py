"""The inbox: what waits for me, for those who may see more what waits for others, and no more."""

from datetime import timedelta

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.admin import executions, read_only
from durable_django.models import Execution, Wait
from tests.admin.conftest import page_of
from tests.admin.rows import make_fork, make_run, now
from tests.inputs.waits import ask, make_wait

INBOX = "/admin/durable_django/pendinginput/"
EVERYBODYS = f"{INBOX}?for=all"
SEES = ("view_pendinginput",)
SEES_ALL = ("view_pendinginput", "view_execution")


def user_of(client):
    return User.objects.get(pk=client.session["_auth_user_id"])


def listed(client, address=INBOX):
    """The prompts in the list, in order."""
    page = client.get(address)
    assert page.status_code == 200
    return [row.shown_prompt for row in page.context["cl"].result_list]


def test_one_begins_with_what_waits_for_oneself_the_oldest_first(staff):
    client = staff(*SEES_ALL)
    me = user_of(client)
    me.groups.add(Group.objects.create(name="Managers"))
    ask(prompt="for anybody")
    ask(prompt="for me", to=f"user:{me.username}")
    ask(prompt="for bob", to="user:bob")
    ask(prompt="for us", to="group:Managers")
    ask(prompt="for who sees runs", to="permission:durable_django.view_execution")
    mine = ["for anybody", "for me", "for us", "for who sees runs"]
    assert listed(client) == mine
    assert listed(client, EVERYBODYS) == [*mine[:2], "for bob", *mine[2:]]


def test_who_may_not_see_runs_sees_only_what_is_for_him(staff):
    client = staff(*SEES)
    ask(prompt="for anybody")
    other = ask(prompt="for bob", to="user:bob")
    assert listed(client) == ["for anybody"]
    assert listed(client, EVERYBODYS) == ["for anybody"]
    assert "everybody" not in client.get(INBOX).content.decode()
    gone = client.get(f"{INBOX}{other.pk}/change/", follow=True)
    assert gone.redirect_chain == [(INBOX, 302)]
    assert "There is no such request, or it is not for you." in gone.content.decode()
    assert client.get(f"{INBOX}{other.pk}/history/", follow=True).status_code == 200
    assert "for bob" not in client.get(f"{INBOX}{other.pk}/history/", follow=True).content.decode()


def test_who_may_see_some_runs_sees_what_they_wait_for(staff, monkeypatch):
    every = executions.ExecutionAdmin.get_queryset
    evening = lambda self, request: every(self, request).filter(queue="evening")  # noqa: E731
    monkeypatch.setattr(executions.ExecutionAdmin, "get_queryset", evening)
    client = staff(*SEES_ALL)
    ask(make_run("waiting", queue="evening"), prompt="evening", to="user:bob")
    night = ask(make_run("waiting", queue="night"), prompt="night", to="user:bob")
    mine = ask(make_run("waiting", queue="night"), prompt="mine", to=f"user:{user_of(client)}")
    assert listed(client, EVERYBODYS) == ["evening", "mine"]
    assert client.get(f"{INBOX}{night.pk}/change/").status_code == 302
    page = client.get(f"{INBOX}{mine.pk}/change/").content.decode()
    assert page_of(mine.execution) not in page


def test_what_is_over_is_not_listed(staff):
    client = staff(*SEES_ALL)
    for status in ("answered", "completed", "timed_out", "cancelled"):
        make_wait(status=status)
    make_wait(kind="event")
    assert listed(client, EVERYBODYS) == []
    assert "Nothing waits for you." in client.get(INBOX).content.decode()
    assert "No request matches." in client.get(EVERYBODYS).content.decode()


def test_a_row_says_who_asks_since_when_until_when_and_whom(staff):
    ask(
        make_run("waiting", workflow_name="shop.returns", version=3),
        node="inspect",
        path="each[2]/inspect",
        to="group:Managers",
        prompt="x" * 200,
        created_at=now() - timedelta(hours=3, seconds=5),
        due_at=now() + timedelta(days=2, seconds=30),
    )
    page = staff(*SEES_ALL).get(EVERYBODYS).content.decode()
    for said in (
        "shop.returns",
        "v3",
        "each[2]/inspect",
        "3 h 0 min ago",
        "in 2 d 0 h",
        "group Managers",
        "x" * 99 + "…",
    ):
        assert said in page
    assert "x" * 100 not in page


def test_a_request_without_a_prompt_is_listed_by_its_name(staff):
    ask(node="manager")
    assert listed(staff(*SEES)) == ["manager"]


def test_the_list_is_narrowed_to_a_workflow_or_a_run(staff):
    client = staff(*SEES_ALL)
    ask(make_run("waiting", workflow_name="one"), prompt="one")
    two = ask(make_run("waiting", workflow_name="two"), prompt="two")
    assert listed(client, f"{INBOX}?workflow=two") == ["two"]
    assert listed(client, f"{EVERYBODYS}&execution={two.execution_id}") == ["two"]
    for wrong in ("execution=nonsense", "for=nobody", "workflow=a%00b"):
        assert client.get(f"{INBOX}?{wrong}").status_code == 302
    for lookup in ("request_text__contains=4111", "assignee=bob", "execution__queue=x"):
        assert client.get(f"{INBOX}?{lookup}").status_code in (302, 400)


def test_secrets_of_a_run_are_masked_in_prompts(staff, settings):
    settings.DURABLE = {"SENSITIVE": ["card"]}
    run = make_run("waiting", context={"card": "4111-1111"}, input={"order": {"card": "5500-5500"}})
    (strand,) = make_fork(run, ["waiting"], input_text='{"card":"6011-6011"}')
    ask(run, node="a", prompt="Charge 4111-1111?")
    ask(run, node="b", prompt="Charge 5500-5500, card=77?")
    ask(run, node="c", prompt="Charge 6011-6011?", member=strand)
    ask(make_run("waiting"), prompt="Charge 4111-1111 of another run?")
    client = staff(*SEES)
    assert listed(client) == [
        "Charge ••••••?",
        "Charge ••••••, card=••••••",
        "Charge ••••••?",
        "Charge 4111-1111 of another run?",
    ]
    for wait in Wait.objects.filter(execution=run):
        page = client.get(f"{INBOX}{wait.pk}/change/").content.decode()
        assert not any(secret in page for secret in ("4111", "5500", "6011"))


def test_a_long_list_needs_as_many_queries_as_a_short_one(staff, settings):
    settings.DURABLE = {"SENSITIVE": ["card"]}
    client = staff(*SEES_ALL)

    def queries():
        with CaptureQueriesContext(connection) as found:
            client.get(EVERYBODYS)
        return len(found)

    ask(to="group:Managers")
    few = queries()
    for _ in range(20):
        ask(to="group:Managers")
    assert queries() == few


def test_payloads_are_not_read_where_nothing_is_hidden(staff):
    ask()
    client = staff(*SEES_ALL)
    with CaptureQueriesContext(connection) as found:
        client.get(EVERYBODYS)
    assert not [query["sql"] for query in found if '"snapshot"' in query["sql"]]


def test_a_list_that_is_too_long_says_so(staff, monkeypatch):
    monkeypatch.setattr(read_only, "COUNTED_MAX", 2)
    for _ in range(3):
        ask()
    assert "There are more than 2" in staff(*SEES).get(INBOX).content.decode()


def test_nothing_can_be_added_changed_or_deleted(admin_client):
    wait = ask()
    page = admin_client.get(INBOX).content.decode()
    assert f"{INBOX}add/" not in page
    assert admin_client.post(f"{INBOX}add/").status_code == 403
    assert admin_client.post(f"{INBOX}{wait.pk}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [wait.pk], "post": "yes"}
    admin_client.post(INBOX, chosen)
    assert Wait.objects.count() == 1


@pytest.mark.parametrize("codenames", [(), ("view_execution",), ("answer_input",)])
def test_without_the_permission_there_is_no_inbox(staff, codenames):
    client = staff(*codenames)
    wait = ask()
    for address in (INBOX, f"{INBOX}{wait.pk}/change/", f"{INBOX}{wait.pk}/history/"):
        assert client.get(address).status_code == 403
    assert "requests for input" not in client.get("/admin/durable_django/").content.decode()


def test_the_index_tells_how_many_wait_for_me(staff):
    client = staff(*SEES)
    index = "/admin/durable_django/"
    assert "Waiting for me" in client.get(index).content.decode()
    ask()
    ask(to="user:bob")
    assert "1 request for input" in client.get(index).content.decode()
    for _ in range(2):
        ask()
    page = client.get(index).content.decode()
    assert "3 requests for input" in page
    assert f'href="{INBOX}"' in page


def test_the_index_does_not_count_for_ever(staff, monkeypatch):
    from durable_django.templatetags import durable_inputs

    monkeypatch.setattr(durable_inputs, "COUNTED_MAX", 2)
    for _ in range(3):
        ask()
    assert "2+ requests for input" in staff(*SEES).get("/admin/durable_django/").content.decode()


def test_a_site_without_the_admin_of_runs_has_an_inbox(staff, monkeypatch):
    client = staff(*SEES_ALL)
    mine = ask(prompt="mine")
    ask(prompt="for bob", to="user:bob")
    monkeypatch.delitem(site._registry, Execution)
    assert listed(client, EVERYBODYS) == ["mine"]
    assert client.get(f"{INBOX}{mine.pk}/change/").status_code == 200
