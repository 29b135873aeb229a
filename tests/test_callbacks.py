"""The URLs of callbacks: what they say, for how long, and that nobody else can make one."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from django.core import signing
from django.core.exceptions import ImproperlyConfigured
from django.core.signing import BadSignature, SignatureExpired
from django.test import override_settings
from django.urls import clear_url_caches, include, path, resolve, set_script_prefix
from hypothesis import given
from hypothesis import strategies as st

from durable_django import views
from durable_django.callbacks import Callback, make_token, make_url, read_token
from durable_django.store import clock

RUN = UUID("01980000-0000-7000-8000-00000000002a")
SHOP = {"BASE_URL": "https://shop.example"}
PAID = Callback(RUN, "paid", "items[3]/send", "items[3]/")

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=255)
callbacks = st.builds(Callback, st.uuids(), texts, st.text("ab[12]/#", max_size=300), st.text("a/"))

urlpatterns = []  # of a project that does not include ours


@pytest.fixture(autouse=True)
def _the_clock_needs_no_database():
    clock.observe(datetime(2030, 1, 31, tzinfo=UTC))
    yield
    clock.reset()


def token_of(url):
    return resolve(urlsplit(url).path).kwargs["token"]


# What a URL is


@override_settings(DURABLE=SHOP)
def test_a_url_is_that_of_the_view_at_the_address_of_the_project_and_says_all_that_is_needed():
    url = make_url(*PAID)
    assert url.startswith("https://shop.example/durable/callback/")
    assert resolve(urlsplit(url).path).func is views.callback
    assert read_token(token_of(url)) == PAID


@override_settings(DURABLE=SHOP)
def test_outside_of_a_foreach_a_url_has_no_scope():
    assert read_token(token_of(make_url(RUN, "paid", "send"))) == Callback(RUN, "paid", "send", "")


@pytest.mark.parametrize("base", ["https://shop.example/eu", "https://shop.example/eu/"])
@pytest.mark.parametrize("prefix", ["/", "/eu/"])
def test_a_project_below_a_path_has_one_url_in_a_worker_and_in_a_web_request(base, prefix):
    set_script_prefix(prefix)
    try:
        with override_settings(DURABLE={"BASE_URL": base}):
            assert make_url(*PAID).startswith("https://shop.example/eu/durable/callback/")
    finally:
        set_script_prefix("/")


@override_settings(DURABLE={})
def test_without_an_address_there_is_no_url_and_the_setting_is_named():
    with pytest.raises(ImproperlyConfigured, match=r'DURABLE\["BASE_URL"\] is not set'):
        make_url(*PAID)


@pytest.mark.parametrize("urlconf", ["tests.test_callbacks", None])
def test_without_the_urls_of_the_app_there_is_no_url_and_what_to_include_is_said(urlconf):
    with (
        override_settings(DURABLE=SHOP, ROOT_URLCONF=urlconf),
        pytest.raises(ImproperlyConfigured, match=r'include\("durable_django.urls"\)'),
    ):
        make_url(*PAID)


@override_settings(DURABLE=SHOP, ROOT_URLCONF="tests.test_callbacks")
def test_the_urls_can_be_included_anywhere_and_under_another_name(monkeypatch):
    included = path("x/", include("durable_django.urls", namespace="other"))
    monkeypatch.setitem(globals(), "urlpatterns", [included])
    clear_url_caches()
    try:
        assert make_url(*PAID).startswith("https://shop.example/x/callback/")
    finally:
        clear_url_caches()


@given(callbacks)
def test_a_token_gives_back_what_it_was_made_of_and_needs_no_quoting(called):
    token = make_token(called)
    assert read_token(token) == called
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:")


def test_a_usual_url_is_short():
    assert len(make_token(PAID)) < 200


# How long it is good for


@pytest.mark.parametrize("age", [timedelta(hours=1), 3600, 3600.0])
def test_a_token_is_good_until_it_is_older_than_the_setting_says(age):
    token = make_token(PAID)
    with override_settings(DURABLE={"CALLBACK_MAX_AGE": age}):
        clock.advance(timedelta(minutes=59, seconds=58))
        assert read_token(token) == PAID
        clock.advance(timedelta(seconds=3))
        with pytest.raises(SignatureExpired):
            read_token(token)


@override_settings(DURABLE={})
def test_a_token_is_good_for_thirty_days_if_nothing_is_set():
    token = make_token(PAID)
    clock.advance(timedelta(days=29, hours=23))
    assert read_token(token) == PAID
    clock.advance(timedelta(hours=2))
    with pytest.raises(SignatureExpired):
        read_token(token)


def test_a_token_of_a_host_whose_clock_is_wrong_is_as_old_as_the_database_says(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 0.0)
    token = make_token(PAID)
    monkeypatch.undo()
    assert read_token(token) == PAID


# Who can make one


@given(callbacks, st.data())
def test_a_token_with_one_character_changed_is_refused(called, data):
    token = make_token(called)
    index = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(max_codepoint=0x2FF).filter(lambda c: c != token[index]))
    with pytest.raises(BadSignature):
        read_token(token[:index] + other + token[index + 1 :])


def test_a_token_with_any_character_changed_cut_or_doubled_is_refused():
    token = make_token(PAID)
    for index, character in enumerate(token):
        before, after = token[:index], token[index + 1 :]
        # "B" differs from "A" in the bits that base64 may leave unused at an end.
        for other in ("", "A", "B", ".", ":", 2 * character):
            if other != character:
                with pytest.raises(BadSignature):
                    read_token(before + other + after)


@given(st.text(max_size=300))
def test_a_text_that_is_no_token_is_refused(text):
    with pytest.raises(BadSignature):
        read_token(text)


@pytest.mark.parametrize("text", ["", ":", "::", ".:x", "\ud800", "é", "a" * 100_000, "W10:" * 99])
def test_an_odd_text_is_refused(text):
    with pytest.raises(BadSignature):
        read_token(text)


def test_what_the_project_signs_for_other_ends_is_no_token():
    told = [RUN.hex, "paid", "", "", int(clock.now().timestamp())]
    for token in (signing.dumps(told), signing.Signer().sign_object(told)):
        with pytest.raises(BadSignature):
            read_token(token)


def test_a_token_outlives_a_new_secret_key_while_the_old_one_is_a_fallback():
    with override_settings(SECRET_KEY="old"):
        token = make_token(PAID)
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["older", "old"]):
        assert read_token(token) == PAID
        assert make_token(PAID) != token
    with override_settings(SECRET_KEY="new"), pytest.raises(BadSignature):
        read_token(token)


# What counts once


def test_what_is_posted_to_the_urls_of_one_visit_and_name_counts_once():
    key = PAID.idempotency_key
    assert key == "callback:paid:items[3]/send"
    others = [PAID._replace(name="lost"), PAID._replace(path="items[4]/send")]
    assert key not in {other.idempotency_key for other in others}
    # The run is not part of it: it is unique within one.
    assert PAID._replace(run_id=uuid4()).idempotency_key == key


@given(callbacks, callbacks)
def test_the_key_of_a_delivery_fits_into_its_column_and_tells_visits_apart(one, other):
    assert len(one.idempotency_key) <= 255
    same = one[1:3] == other[1:3]
    assert (one.idempotency_key == other.idempotency_key) is same


@pytest.mark.parametrize("length", [244, 245, 246, 100_000])
def test_the_key_of_a_long_path_is_a_digest(length):
    keys = {Callback(RUN, "n", character * (length - 1)).idempotency_key for character in "abc"}
    assert len(keys) == 3
    assert max(map(len, keys)) <= 255
