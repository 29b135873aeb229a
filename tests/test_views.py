"""The view of callbacks: what it takes, what it answers, and what it never tells."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import reverse

from durable_django import views
from durable_django.callbacks import Callback, make_token
from durable_django.models import FINAL, Event, Execution
from durable_django.store import clock
from tests.store.rows import make_run

pytestmark = pytest.mark.django_db

JSON = "application/json"
ACCEPTED = (202, {"status": "accepted"})


@pytest.fixture(autouse=True)
def _time_as_before():
    yield
    clock.reset()


@pytest.fixture
def run(db):
    return make_run()


@pytest.fixture
def client():
    """As an outside system: without a cookie, and with CSRF checks as in production."""
    return Client(enforce_csrf_checks=True)


def url_of(run_id, name="paid", path="send", scope=""):
    token = make_token(Callback(run_id, name, path, scope))
    return reverse("durable_django:callback", args=[token])


def post(client, run, body=b"{}", content_type=JSON):
    # By itself the client leaves out the content type of an empty body.
    return client.generic("POST", url_of(run.pk), body, content_type, CONTENT_TYPE=content_type)


def said(response):
    return response.status_code, response.json()


def end(run, status="completed"):
    Execution.objects.filter(pk=run.pk).update(status=status, finished_at=clock.now(), due_at=None)


# What is taken


def test_an_answer_becomes_an_event_of_the_run(client, run):
    url = url_of(run.pk, "paid", "items[3]/send", "items[3]/")
    assert said(client.post(url, {"amount": 12, "by": "größte €"}, content_type=JSON)) == ACCEPTED
    event = Event.objects.get()
    assert (event.execution_id, event.kind, event.name) == (run.pk, "callback", "paid")
    assert (event.scope, event.key, event.status) == ("items[3]/", "", "new")
    assert event.payload == {"amount": 12, "by": "größte €"}
    assert event.idempotency_key == "callback:paid:items[3]/send"


@pytest.mark.parametrize(
    ("body", "payload"),
    [
        ("null", None),
        ("true", True),
        ("12", 12),
        ("1.5", 1.5),
        ('"text"', "text"),
        (" [1, [], {}] \n", [1, [], {}]),
        ('"\\u00e9\\ud83d\\ude00"', "é😀"),
        ("\ufeff[1]", [1]),
        ("9" * 4_000, int("9" * 4_000)),
        ("[" * 100 + "]" * 100, None),
    ],
)
def test_any_json_document_is_an_answer(client, run, body, payload):
    assert said(post(client, run, body.encode())) == ACCEPTED
    found = Event.objects.get().payload
    assert found == (json.loads(body) if body.startswith("[[") else payload)


@pytest.mark.parametrize(
    "payload",
    [
        {"$": ["date", "2030-01-31"]},
        {"$": ["bytes", "eA=="]},
        {"$": ["unknown"]},
        {"$": None},
        {"$": {"$": ["tuple", [1]]}},
        [{"$": 1, "more": 2}],
    ],
)
def test_an_object_that_looks_like_one_of_our_own_forms_stays_plain_data(client, run, payload):
    assert said(post(client, run, json.dumps(payload))) == ACCEPTED
    assert Event.objects.get().payload == payload


@pytest.mark.parametrize(
    "content_type",
    [JSON, "Application/JSON", f"{JSON}; charset=utf-8", f'{JSON};charset="UTF-8"', f"{JSON}; v=1"],
)
def test_json_is_taken_however_its_content_type_is_spelt(client, run, content_type):
    assert said(post(client, run, "[]", content_type)) == ACCEPTED


def test_a_repeat_is_accepted_and_written_once(client, run):
    answers = [post(client, run, body) for body in ("1", "1", "2")]
    assert [said(answer) for answer in answers] == [ACCEPTED] * 3
    assert Event.objects.get().payload == 1


def test_each_visit_and_name_is_answered_for_itself(client, run):
    for name, path in (("paid", "a"), ("paid", "b"), ("lost", "a")):
        client.post(url_of(run.pk, name, path), "1", content_type=JSON)
    assert Event.objects.count() == 3


# What is told of a run: nothing


def test_the_answer_is_the_same_whether_the_run_waits_has_ended_or_never_was(client, run):
    ended = [make_run() for _ in FINAL]
    for one, status in zip(ended, FINAL, strict=True):
        end(one, status.value)
    unknown = Execution(pk=uuid4())
    answers = [post(client, one) for one in (run, run, *ended, unknown)]
    for answer in answers:
        del answer.headers["Expires"]  # the second in which it was given
    assert {(a.status_code, a.content, str(a.headers)) for a in answers} == {
        (202, b'{"status": "accepted"}', str(answers[0].headers))
    }
    assert [event.execution_id for event in Event.objects.all()] == [run.pk]


def test_a_repeat_after_the_end_of_the_run_is_accepted(client, run):
    post(client, run, "1")
    end(run)
    assert said(post(client, run, "1")) == ACCEPTED


def test_no_answer_is_ever_cached(client, run):
    answers = [
        post(client, run),
        post(client, run, "nonsense"),
        client.get(url_of(run.pk)),
        client.post(reverse("durable_django:callback", args=["x"]), "1", content_type=JSON),
    ]
    assert [answer.status_code for answer in answers] == [202, 400, 405, 404]
    for answer in answers:
        assert "no-store" in answer.headers["Cache-Control"]
        assert "private" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Type"] == JSON
        assert not answer.cookies


# What is refused


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "patch", "delete", "trace"])
def test_only_a_post_is_an_answer_and_the_signature_makes_no_difference(client, run, method):
    for url in (url_of(run.pk), reverse("durable_django:callback", args=["x"])):
        answer = getattr(client, method)(url)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
        assert answer.content == (b"" if method == "head" else b'{"error": "use POST"}')


def test_a_url_that_was_tampered_with_and_one_too_old_are_not_found_alike(client, run):
    url = url_of(run.pk)
    forged = client.post(f"{url[:-2]}{'A' if url[-2] != 'A' else 'B'}/", "1", content_type=JSON)
    clock.advance(timedelta(days=31))
    late = client.post(url, "1", content_type=JSON)
    assert said(forged) == said(late) == (404, {"error": "there is no such callback"})
    assert Event.objects.count() == 0


def test_nothing_is_read_and_no_database_asked_before_the_signature_is_right(
    client, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(views, "_payload_text", None)  # would fail if it were called
    clock.reset()  # the next who asks for the time asks the database
    with django_assert_num_queries(0):
        answer = client.post(
            reverse("durable_django:callback", args=["W10:x"]), "1", content_type=JSON
        )
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        f"{JSON}; charset=utf-16",
        f"{JSON}; charset=latin-1",
        f"{JSON}; charset=nonsense",
        f"{JSON}; charset=",
        f"{JSON}; charset=a%00b",
    ],
)
def test_another_content_type_is_refused(client, run, content_type):
    answer = post(client, run, b"{}", content_type)
    assert said(answer) == (415, {"error": "send application/json in UTF-8"})
    assert Event.objects.count() == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"nonsense",
        b"{'a': 1}",
        b"[1,]",
        b"[1] 2",
        b'{"a": 1',
        b"a=1&b=2",
        b"\xff\xfe",
        '"é"'.encode("latin-1"),
        "[1]".encode("utf-16"),
        b"[" * 101 + b"]" * 101,
        b"[" * 500_000,
        b'{"a":' * 100_000,
        b"NaN",
        b"[-Infinity]",
        b"1e999",
        b"9" * 4_001,
        b"-" + b"9" * 50_000,
        b'"\\ud800"',
        b'{"\\udc00": 1}',
        b'"\\u0000"',
        b'{"a\\u0000": 1}',
        b"\0",
        b'"\0"',
        b"\xef\xbb\xbf",
    ],
    ids=lambda body: repr(body)[:40],
)
def test_what_is_no_json_or_cannot_be_stored_is_refused(client, run, body):
    answer = post(client, run, body)
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert Event.objects.count() == 0


def test_a_refusal_says_what_is_wrong_with_the_answer_and_not_much_more(client, run):
    assert "no JSON" in post(client, run, b"x").json()["error"]
    assert 'payload["a"]' in post(client, run, b'{"a": NaN}').json()["error"]
    long = post(client, run, b'{"%s": NaN}' % (b"k" * 100_000))
    assert len(long.content) < 400


def test_an_answer_that_is_too_large_is_refused(client, run):
    with override_settings(DURABLE={"MAX_PAYLOAD_BYTES": 1024}):
        assert said(post(client, run, b'"%s"' % (b"x" * 1022))) == ACCEPTED
        Event.objects.all().delete()
        for body in (b'"%s"' % (b"x" * 1023), b" " * 5_000_000):
            answer = post(client, run, body)
            assert said(answer) == (413, {"error": "the body is larger than 1,024 bytes"})
        # Stored it has more bytes than it came with: each 1e15 has 18.
        assert post(client, run, b"[%s]" % b",".join([b"1e15"] * 190)).status_code == 413
    assert Event.objects.count() == 0


def test_an_answer_may_be_larger_than_what_django_takes_as_a_form(client, run):
    body = b'"%s"' % (b"x" * 3_000_000)
    with override_settings(DURABLE={"MAX_PAYLOAD_BYTES": 4_000_000}):
        assert said(post(client, run, body)) == ACCEPTED
    assert len(Event.objects.get().payload) == 3_000_000


class Body:
    """The body of a request that knows how much of it was asked for."""

    def __init__(self, content, error=None):
        self.content = content
        self.error = error
        self.asked = []

    def read(self, size=-1):
        self.asked.append(size)
        if self.error:
            raise self.error
        found, self.content = self.content[:size], self.content[size:]
        return found


def sent(run, body, length):
    request = RequestFactory().generic("POST", "/", b"{}", content_type=JSON)
    if length is None:
        del request.META["CONTENT_LENGTH"]
    else:
        request.META["CONTENT_LENGTH"] = length
    request._stream = body
    return views.callback(request, token=make_token(Callback(run.pk, "paid", "send")))


@pytest.mark.parametrize("length", [None, "", "x"])
def test_of_a_body_whose_length_is_not_told_no_more_is_read_than_is_allowed(run, length):
    body = Body(b" " * 10_000)
    with override_settings(DURABLE={"MAX_PAYLOAD_BYTES": 1024}):
        assert sent(run, body, length).status_code == 413
    assert body.asked == [1025]
    assert sent(run, Body(b"[1]"), length).status_code == 202


def test_a_body_that_is_announced_as_too_large_is_not_read_at_all(run):
    body = Body(b"")
    assert sent(run, body, str(10**12)).status_code == 413
    assert body.asked == []


@pytest.mark.parametrize("length", ["5", "-3", "0", "2"])
def test_a_body_that_is_not_as_long_as_announced_is_refused_though_it_be_json(run, length):
    assert sent(run, Body(b"123"), length).status_code == 400
    assert Event.objects.count() == 0


def test_a_body_that_breaks_off_is_refused(run):
    assert sent(run, Body(b"", OSError("connection reset")), "3").status_code == 400


# In a project


@override_settings(
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
)
def test_a_project_that_demands_a_login_everywhere_demands_none_here(run):
    assert said(post(Client(enforce_csrf_checks=True), run)) == ACCEPTED


def read_body(get_response):
    def middleware(request):
        assert request.body is not None
        return get_response(request)

    return middleware


@override_settings(MIDDLEWARE=["tests.test_views.read_body"])
def test_a_middleware_may_have_read_the_body_before(client, run):
    assert said(post(client, run, "[1]")) == ACCEPTED
    assert Event.objects.get().payload == [1]


@override_settings(DEBUG=True)
def test_in_debug_mode_no_more_is_told(client, run):
    answer = client.post(reverse("durable_django:callback", args=["x"]), "1", content_type=JSON)
    assert said(answer) == (404, {"error": "there is no such callback"})


@pytest.mark.django_db(transaction=True)
def test_the_view_works_under_asgi_too():
    run = make_run()
    url = url_of(run.pk)

    async def call():
        client = AsyncClient()
        return [await client.post(url, body, content_type=JSON) for body in ("[1]", "x")]

    assert [answer.status_code for answer in async_to_sync(call)()] == [202, 400]
    assert Event.objects.get().payload == [1]
