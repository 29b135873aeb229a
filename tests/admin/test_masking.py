"""What must not be seen is not seen: by key, at any depth, and in texts as well as one can."""

from decimal import Decimal

import pytest
from django.test import override_settings

from durable_django import Workflow, foreach, step
from durable_django.models import Execution
from durable_django.showing.masking import DOTS, MASKED, Mask, Masks
from tests.admin.conftest import LIST, page_of, whole_page
from tests.admin.rows import make_definition, make_error, make_fork, make_run, make_step

CARD = "4111-1111-1111-1111"


@pytest.fixture
def pay(isolated):
    class Pay(Workflow):
        class Meta:
            name = "tests.pay"
            sensitive = ("Card_Number", "secret")

        @step
        def charge(self):
            pass

    return Pay


def test_keys_match_whatever_their_case_at_any_depth():
    value = {
        "CARD": 1,
        "order": [{"card": {"number": 2}}, ({"Card": 3},)],
        "cards": 4,
        "card_type": "visa",
    }
    assert Mask(["card"]).value(value) == {
        "CARD": MASKED,
        "order": [{"card": MASKED}, ({"Card": MASKED},)],
        "cards": 4,
        "card_type": "visa",
    }
    assert value["CARD"] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("card=4111 at once", f"card={DOTS} at once"),
        ("card=4111 1111 1111 1111.", f"card={DOTS}."),
        ("Card: 4111, total: 3", f"Card: {DOTS}, total: 3"),
        ('{"card": "41 11", "n": 1}', f'{{"card": {DOTS}, "n": 1}}'),
        ("{'card': '41\\'11', 'n': 1}", f"{{'card': {DOTS}, 'n': 1}}"),
        (r"{\"card\": \"4111\"}", rf"{{\"card\": {DOTS}}}"),
        ('{"card": {"no": "4111"}, "n": 1}', f'{{"card": {DOTS}, "n": 1}}'),
        ("card=Bearer abcdef", f"card={DOTS}"),
        ("/pay?card=4111&n=1", f"/pay?card={DOTS}&n=1"),
        ("discard=1 cardinal=2 my_card=3", "discard=1 cardinal=2 my_card=" + DOTS),
        ("the card was declined", "the card was declined"),
    ],
)
def test_pairs_in_a_text_are_masked(text, expected):
    assert Mask(["card"]).text(text) == expected


def test_secrets_that_were_seen_are_hidden_in_texts():
    mask = Mask(["card"])
    mask.learn({"card": CARD, "nested": [{"Card": {"cvc": 123456}}], "short": {"card": 7}})
    text = f"charged {CARD} with 123456 in 7 days"
    assert mask.text(text) == f"charged {DOTS} with {DOTS} in 7 days"
    assert mask.value({"note": f"paid by {CARD}"}) == {"note": f"paid by {DOTS}"}


def test_a_mask_without_keys_changes_nothing():
    assert Mask([]).text("card=4111") == "card=4111"
    assert Mask([]).value({"card": 1}) == {"card": 1}


def test_a_hostile_text_is_masked_in_no_time():
    mask = Mask(["card", "c"])
    for text in (
        'card="' + "\\" * 60_000,
        "card=" * 12_000,
        "card={" * 12_000,
        "c=1 " + "1-" * 30_000,
    ):
        mask.text(text)


def test_keys_come_from_all_versions_of_the_workflow_and_from_the_settings(pay, settings):
    class PayLater(Workflow):
        class Meta:
            name = "tests.pay"
            version = 2
            sensitive = ("iban",)

        @step
        def charge(self):
            pass

    with override_settings(DURABLE={"SENSITIVE": ["pin"]}):
        mask = Masks([("tests.pay", 1)]).of("tests.pay", 1)
    for key in ("card_number", "SECRET", "iban", "PIN"):
        assert mask.hides(key), key
    assert not mask.hides("total")


def test_a_run_whose_code_is_gone_hides_what_any_workflow_hides(pay, db):
    make_definition({"nodes": [], "sensitive": ["token"]}, name="tests.gone")
    mask = Masks([("tests.gone", 1)]).of("tests.gone", 1)
    assert mask.hides("card_number")
    assert mask.hides("token")


def test_nothing_sensitive_reaches_the_page(viewer, pay):
    run = make_run(
        "completed",
        workflow_name="tests.pay",
        input={"order": {"card_number": CARD, "id": 7}},
        context={"CARD_NUMBER": CARD, "note": f"paid with {CARD}", "price": Decimal(3)},
        outputs={"charge": {"secret": "hunter2hunter2"}},
        result={"secret": "hunter2hunter2"},
        tags={"card_number": CARD, "open": "yes"},
        reason=f"card {CARD} was stolen",
        error=make_error(f"cannot charge {CARD}", f"File x\n  card_number={CARD}"),
    )
    make_step(
        run,
        output={"secret": "hunter2hunter2"},
        changes=[("set", "card_number", CARD), ("append", "seen", {"secret": "s3-parrot"})],
        error=make_error(f"cannot charge {CARD}", f"card_number='{CARD}'"),
        logs=[f"charging {CARD}", "secret=s3-parrot next"],
        progress=0.5,
        progress_message=f"asking about {CARD}",
    )
    page = whole_page(viewer, run)
    for secret in (CARD, "hunter2", "s3-parrot"):
        assert secret not in page, secret
    assert DOTS in page
    assert "price" in page
    listed = viewer.get(LIST).content.decode()
    assert CARD not in listed
    assert "open=yes" in listed


def test_who_may_see_what_is_sensitive_sees_it_and_nobody_else_does(staff, admin_client, pay):
    run = make_run(workflow_name="tests.pay", input={"secret": "hunter2"}, tags=["secret=x7"])
    everything = {"view_execution", "cancel_execution", "retry_execution", "edit_context"}
    assert "hunter2" not in whole_page(staff(*everything), run)
    for client in (staff("view_execution", "view_sensitive"), admin_client):
        page = whole_page(client, run)
        assert "hunter2" in page
        assert "secret=x7" in page
        assert DOTS not in page
        assert "secret=x7" in client.get(LIST).content.decode()


def test_a_node_called_like_a_sensitive_key_hides_its_output(viewer, isolated):
    class Fetch(Workflow):
        class Meta:
            name = "tests.fetch"
            sensitive = ("secret",)

        @step
        def secret(self):
            pass

    run = make_run("completed", workflow_name="tests.fetch", outputs={"secret": "hunter2"})
    make_step(run, "secret", output="hunter2")
    assert "hunter2" not in whole_page(viewer, run)


@pytest.fixture
def letters(isolated):
    class Letters(Workflow):
        class Meta:
            name = "tests.letters"
            sensitive = ("token", "addresses", "secrets")

        @step
        def addresses(self):
            pass

        with foreach(addresses) as sending:

            @step
            def send(self):
                pass

        with foreach("secrets") as telling:

            @step
            def tell(self):
                pass

        with foreach(lambda self: []) as secrets:

            @step
            def keep(self):
                pass

    return Letters


def test_items_and_outputs_of_members_are_masked(viewer, letters):
    run = make_run("waiting", workflow_name="tests.letters")
    values = {
        "input_text": '{"token": "token-of-item", "to": "plain"}',
        "result_text": '{"token": "token-of-output", "id": "plain"}',
    }
    strand = make_fork(run, ["completed", "failed"], path="open", **values)[1]
    error = '{"type":"E","message":"refused token-of-item","traceback":"","node":"send"}'
    type(strand).objects.filter(pk=strand.pk).update(error_text=error)
    for row in (run, strand):
        text = whole_page(viewer, row)
        assert "token-of" not in text
        assert "plain" in text
        assert f"refused {DOTS}" in text


@pytest.mark.parametrize("path", ["sending", "telling", "secrets"])
@pytest.mark.parametrize("has_code", [True, False])
def test_items_are_masked_like_the_list_they_come_from(viewer, letters, path, has_code):
    at = {"version": 1 if has_code else 2}
    make_definition(letters.definition.structure(), name="tests.letters", version=2)
    run = make_run("waiting", workflow_name="tests.letters", **at)
    strand = make_fork(run, ["completed"], path=path, input_text='"plain item"', **at)[0]
    for row in (run, strand):
        text = whole_page(viewer, row)
        assert "plain item" not in text
        assert ("gave 0" in text) == (path != "secrets")


def test_results_that_are_only_begun_and_failures_in_them_are_masked(viewer, letters):
    run = make_run("completed", workflow_name="tests.letters")
    error = '{"type":"E","message":"token=shown-not at all","traceback":"","node":"send"}'
    kept = '{"token": "hidden-one", "id": 7}'
    make_fork(run, ["completed"] * 7, path="sending", result_text=kept, joined="completed")
    make_fork(run, ["failed"], path="telling", seq=3, error_text=error, joined="completed")
    texts = [row.output_text for row in run.steps.filter(path__in=["sending", "telling"])]
    type(run).objects.filter(pk=run.pk).update(result_text=f"[{','.join(texts)}]")
    text = whole_page(viewer, run)
    assert "… 2 more" in text
    assert "hidden-one" not in text
    assert "shown-not" not in text
    assert "MemberFailure" in text


def test_what_is_in_a_sensitive_block_is_masked_with_it(viewer, letters):
    run = make_run("completed", workflow_name="tests.letters")
    make_step(run, "keep", path="secrets[1]/keep", output="in the block")
    assert "in the block" not in whole_page(viewer, run)


@pytest.mark.parametrize("key", ["secret", "SECRET"])
def test_what_was_recorded_since_the_snapshot_is_known_without_a_replay(viewer, pay, key):
    run = make_run("running", workflow_name="tests.pay")
    make_step(run, "one", seq=1, changes=[("set", "deep", {key: "hunter2hunter2"})])
    make_step(run, "two", seq=2, output=[{key: "swordfish99"}])
    make_step(run, key, seq=3, output="opensesame11")
    make_step(run, "four", seq=4, path=f"{key}[1]/four", output="tiredofnames")
    said = "hunter2hunter2 swordfish99 opensesame11 tiredofnames"
    make_step(run, "late", seq=5, logs=[said], error=make_error(said))
    Execution.objects.filter(pk=run.pk).update(reason=said)
    for tab in ("graph", "steps&node=late"):
        page = viewer.get(f"{page_of(run)}?tab={tab}").content.decode()
        for secret in said.split():
            assert secret not in page, (tab, secret)
