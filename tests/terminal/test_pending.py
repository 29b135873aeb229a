"""`durable pending`: what people are waited for to answer."""

import pytest
from django.contrib.auth.models import Group, User

from .workflows import HOSTILE, make_claim, make_hostile


@pytest.fixture
def claim(durable):
    return durable.run(make_claim(), {"account": "NL91ABNA"})


def test_nobody_is_waited_for(terminal):
    assert terminal("pending").out == "Nobody is waited for.\n"
    assert terminal("pending", "--json").json == {"inputs": [], "more": False}


def test_what_is_asked_is_told_and_masked(terminal, claim):
    said = terminal("pending")
    assert str(claim.pk) in said.out
    assert "group Managers" in said.out
    assert "Pay ••••••?" in said.out
    assert "Pay NL91ABNA?" in terminal("pending", "--reveal").out
    (told,) = terminal("pending", "--json").json["inputs"]
    assert (told["name"], told["form"], told["prompt"]) == ("approval", "approval", "Pay ••••••?")
    assert told["execution"] == str(claim.pk)
    assert "NL91" not in str(told)


def test_they_are_narrowed_down(terminal, claim, durable):
    other = durable.run(make_hostile())
    for words, found in [
        ([], [claim, other]),
        (["--workflow", "claim"], [claim]),
        (["--run", str(other.pk)], [other]),
        (["--limit", "1"], [claim]),
    ]:
        told = terminal("pending", "--json", *words).json
        assert [each["execution"] for each in told["inputs"]] == [str(run.pk) for run in found]
    assert terminal("pending", "--limit", "1", "--json").json["more"] is True


def test_a_user_sees_what_he_may_answer(terminal, claim):
    anna = User.objects.create_user("anna")
    assert terminal("pending", "--user", "anna").out == "Nobody is waited for.\n"
    anna.groups.add(Group.objects.create(name="Managers"))
    assert str(claim.pk) in terminal("pending", "--user", "anna").out
    said = terminal("pending", "--user", "zoe")
    assert (said.code, said.err) == (3, "error: no user is called 'zoe'\n")


@pytest.mark.parametrize("width", [60, 80, 200])
def test_prompts_fold_and_are_hostile(terminal, durable, width):
    run = durable.run(make_hostile())
    said = terminal("pending", width=width)
    assert str(run.pk) in said.out
    assert max(map(len, said.lines)) <= width
    assert not [evil for evil in HOSTILE if not evil.isprintable() and evil in said.out]
