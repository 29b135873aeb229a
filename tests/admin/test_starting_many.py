"""Many runs started from a file: every line judged first, all of them started or none, once."""

import json
import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.urls import reverse

from durable_django import Workflow, step
from durable_django.admin.actions import starting_many
from durable_django.admin.executions import ExecutionAdmin
from durable_django.models import AuditEntry, Execution
from tests.admin.conftest import EVERY_VIEW, LIST
from tests.admin.rows import now

pytestmark = pytest.mark.usefixtures("isolated")

START = f"{LIST}start/"
MANY = f"{START}many/"
ADDRESS = f"{MANY}?workflow=tests.order_file"
EVIL = "<script>pwned()</script>"
ONCE = "0190f3d8-7a52-7c7e-8f2a-3d1f8c0f1a11"


@pytest.fixture
def order():
    class Order(Workflow):
        """Sends what was ordered."""

        class Meta:
            name = "tests.order_file"
            queue = "orders"
            priority = 3
            timeout = timedelta(hours=1)

        @classmethod
        def clean_input(cls, input):
            if input.get("order") == 13:
                raise ValidationError({"order": [f"no order is 13 {EVIL}"]})
            if input.get("order") == 14:
                raise KeyError("unlucky")
            if input.get("order") == 15:
                raise OperationalError("the database is away")
            return {**input, "clean": True}

        @step
        def send(self):
            pass

    return Order


@pytest.fixture
def starter(staff):
    return staff(*EVERY_VIEW, "start_execution")


def file_of(*lines):
    content = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
    return SimpleUploadedFile("orders.jsonl", content)


def send(client, *lines, once=ONCE, **data):
    """Sends the form with a file of these lines."""
    sent = {"file": file_of(*lines), "once": once, **data}
    return client.post(ADDRESS, {name: value for name, value in sent.items() if value is not None})


def errors_of(response, field="file"):
    return [str(text) for text in response.context["errors"].get(field, [])]


def told(client, response):
    """What is told on the page that one is led to."""
    page = client.get(response["Location"])
    return [str(message) for message in page.context["messages"]]


def orders():
    return [run.input.get("order") for run in Execution.objects.order_by("id")]


def test_one_finds_it_from_the_form_of_one_run_and_back(starter, order):
    assert f'href="{MANY}"' in starter.get(START).content.decode()
    one = starter.get(START, {"workflow": "tests.order_file"}).content.decode()
    assert f'href="{ADDRESS}"' in one
    choosing = starter.get(MANY).content.decode()
    assert '<option value="tests.order_file">' in choosing
    assert f'href="{START}"' in choosing
    many = starter.get(ADDRESS).content.decode()
    assert many.count(f'href="{START}?workflow=tests.order_file"') == 2
    assert Execution.objects.count() == 0


def test_the_form_says_what_it_takes_and_is_sent_with_its_file(starter, order):
    page = starter.get(ADDRESS).content.decode()
    assert 'enctype="multipart/form-data"' in page
    assert "At most 10,000 lines and 10.0" in page
    assert "Sends what was ordered." in page
    for placeholder in ("orders", "3", "1h"):
        assert f'placeholder="{placeholder}"' in page
    first, second = (
        re.findall(r'name="once" value="([^"]+)"', starter.get(ADDRESS).content.decode())
        for _ in range(2)
    )
    assert len(first) == 1
    assert first != second


def test_each_line_that_holds_something_becomes_a_run(starter, order):
    done = send(starter, '\ufeff{"order": 1}', "", "  ", '{"order": 2}\r', '{"order": 3}')
    assert told(starter, done) == ["3 runs of tests.order_file were started."]
    assert orders() == [1, 2, 3]
    runs = list(Execution.objects.order_by("id"))
    assert {(run.queue, run.priority, tuple(run.tags)) for run in runs} == {("orders", 3, ())}
    assert all(run.input["clean"] for run in runs)
    for rows in (AuditEntry.objects, LogEntry.objects):
        assert rows.count() == 3
    assert set(AuditEntry.objects.values_list("verb", "by")) == {("start", "staff-0")}
    assert {entry.object_id for entry in LogEntry.objects.all()} == {str(run.pk) for run in runs}


def test_they_are_started_as_it_was_said(starter, order):
    later = now() + timedelta(days=2)
    done = send(
        starter,
        '{"order": 1}',
        '{"order": 2}',
        queue="night",
        priority="-2",
        tags="customer=42, import",
        timeout="none",
        scheduled_at_0=f"{later:%Y-%m-%d}",
        scheduled_at_1="10:00:00",
    )
    assert "workflow=tests.order_file" in done["Location"]
    for run in Execution.objects.all():
        assert (run.queue, run.priority, run.status) == ("night", -2, "scheduled")
        assert (run.tags, run.timeout_at) == ({"customer": "42", "import": True}, None)


def test_one_is_led_to_the_list_of_what_was_started(starter, order):
    send(starter, '{"order": 1}')
    done = send(starter, '{"order": 2}', '{"order": 3}', tags="import")
    assert done["Location"] == f"{LIST}?workflow=tests.order_file&created=hour&tag=import"
    page = starter.get(done["Location"])
    listed = sorted(run.input["order"] for run in Execution.objects.filter(tags=["import"]))
    assert (len(page.context["cl"].result_list), listed) == (2, [2, 3])


def test_one_line_that_is_refused_starts_nothing_and_is_named(starter, order, settings):
    settings.DURABLE = {**settings.DURABLE, "MAX_PAYLOAD_BYTES": 200}
    lines = ['{"order": 1}', "", "{", '{"order": 13}', b'{"a": "\xff"}', '{"a": NaN}']
    lines += ['{"order": 14}', '{"a": "%s"}' % ("x" * 300), "[" * 5_000, "\x00", f'"{EVIL}']
    refused = send(starter, *lines)
    said = errors_of(refused)
    assert said[0] == "9 of 10 lines are refused. Nothing was started."
    assert [text.split(":")[0] for text in said[1:]] == [f"Line {n}" for n in range(3, 12)]
    for text, part in zip(
        said[1:],
        (
            "This is no JSON",
            "order: no order is 13",
            "This is not UTF-8, from byte 8 on.",
            'input["a"]',
            "KeyError: 'unlucky'",
            "bytes are more than",
            "",
            "This is no JSON",
            "This is no JSON",
        ),
        strict=True,
    ):
        assert part in text
    assert EVIL not in refused.content.decode()
    assert not Execution.objects.exists()
    assert not LogEntry.objects.exists()


def test_a_file_that_was_mended_starts_by_the_same_form(starter, order):
    assert send(starter, '{"order": 13}').status_code == 200
    assert send(starter, '{"order": 12}').status_code == 302
    assert orders() == [12]


def test_of_many_that_are_refused_some_are_told_and_how_many_more(starter, order):
    said = errors_of(send(starter, *["{"] * 25))
    assert len(said) == 22
    assert said[-1] == "And 5 more."


def test_the_same_file_sent_twice_by_one_form_is_started_once(starter, order):
    first = send(starter, '{"order": 1}', '{"order": 2}')
    again = send(starter, '{"order": 1}', '{"order": 2}')
    assert first["Location"] == again["Location"]
    assert "started by this form already" in told(starter, again)[-1]
    assert orders() == [1, 2]
    for rows in (AuditEntry.objects, LogEntry.objects):
        assert rows.count() == 2
    assert send(starter, '{"order": 3}').status_code == 302
    assert send(starter, '{"order": 1}', once="0190f3d8-7a52-7c7e-8f2a-3d1f8c0f1a12").status_code
    assert orders() == [1, 2, 3, 1]


def test_lines_are_only_checked_if_that_is_asked(starter, order):
    good = send(starter, '{"order": 1}', '{"order": 2}', only_check="on")
    assert good.status_code == 200
    (message,) = good.context["messages"]
    assert str(message) == "All 2 lines are good. Nothing was started."
    assert errors_of(send(starter, "{", only_check="on"))[0].startswith("1 of 1 line is refused")
    assert not Execution.objects.exists()


@pytest.mark.parametrize(
    ("data", "field", "said"),
    [
        ({"file": None}, "file", "required"),
        ({"file": SimpleUploadedFile("a", b"")}, "file", "no line that holds anything"),
        ({"file": SimpleUploadedFile("a", b"\n \r\n\t")}, "file", "no line that holds anything"),
        ({"once": "nonsense"}, "once", "valid UUID"),
        ({"queue": "q" * 101}, "queue", "at most 100 characters"),
        ({"priority": "99999"}, "priority", "less than or equal to 32767"),
        ({"tags": "$=1"}, "tags", "cannot be the name of a tag"),
        ({"timeout": "long"}, "timeout", "A duration is written like"),
        ({"timeout": "0"}, "timeout", "timeout"),
        ({"scheduled_at_0": "yesterday"}, "scheduled_at", "valid"),
    ],
)
def test_what_it_does_not_take_is_told_beside_the_field(starter, order, data, field, said):
    refused = send(starter, '{"order": 1}', **data)
    assert any(said in text for text in errors_of(refused, field)), refused.context["errors"]
    assert not Execution.objects.exists()


def test_a_file_that_is_too_large_is_refused_before_it_is_read(starter, order, monkeypatch):
    monkeypatch.setattr(starting_many, "FILE_BYTES_MAX", 10)
    (said,) = errors_of(send(starter, '{"order": 1}'))
    assert said.replace("\xa0", " ") == "The file has 12 bytes; at most 10 bytes are taken here."
    assert not Execution.objects.exists()


def test_as_many_lines_are_taken_as_it_says_and_no_more(starter, order, monkeypatch):
    monkeypatch.setattr(starting_many, "LINES_MAX", 3)
    (said,) = errors_of(send(starter, *["{}"] * 4))
    assert said == "The file has more than 3 lines, which is the most taken here."
    assert send(starter, "{}", "", "{}", "{}").status_code == 302
    assert Execution.objects.count() == 3


def test_thousands_of_lines_are_started_by_a_few_statements(
    starter, order, django_assert_max_num_queries
):
    lines = [json.dumps({"order": number}) for number in range(100, 2_600)]
    with django_assert_max_num_queries(80):
        done = send(starter, *lines)
    assert told(starter, done) == ["2,500 runs of tests.order_file were started."]
    assert orders() == list(range(100, 2_600))
    assert AuditEntry.objects.count() == LogEntry.objects.count() == 2_500


def test_what_goes_wrong_in_the_database_is_not_said_of_a_line(starter, order):
    with pytest.raises(OperationalError, match="is away"):
        send(starter, '{"order": 1}', '{"order": 15}')
    assert not Execution.objects.exists()


def test_runs_that_one_could_not_see_are_not_started(starter, order, monkeypatch):
    monkeypatch.setattr(
        ExecutionAdmin,
        "get_queryset",
        lambda self, request: Execution.objects.filter(kind="workflow", queue="default"),
    )
    refused = send(starter, '{"order": 1}', '{"order": 2}')
    assert "you could not see it" in refused.content.decode()
    for rows in (Execution.objects, AuditEntry.objects, LogEntry.objects):
        assert not rows.exists()
    assert send(starter, '{"order": 1}', queue="default").status_code == 302
    assert orders() == [1]


def test_who_may_not_start_is_refused(viewer, staff, order):
    for client in (viewer, staff("start_execution")):
        assert client.get(MANY).status_code == 403
        assert send(client, '{"order": 1}').status_code == 403
    assert not Execution.objects.exists()


def test_a_workflow_that_is_not_offered_is_not_found(starter, order):
    assert starter.get(MANY, {"workflow": "nobody"}).status_code == 404
    sent = {"file": file_of("{}"), "once": ONCE}
    assert starter.post(f"{MANY}?workflow=nobody", sent).status_code == 404


def test_the_address_has_a_name():
    assert reverse("admin:durable_django_execution_start_many") == MANY
