"""The database and the settings: what was dropped, not migrated, or set so that it hurts."""

from django.core.checks import Error
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from durable_django import doctor
from durable_django.doctor import database
from durable_django.models import Worker

from .sick import found


def only(code):
    return [each for each in doctor.examine() if each.code == code]


def test_a_dropped_index_is_named():
    assert only("indexes_missing") == []
    with connection.cursor() as cursor:
        cursor.execute('DROP INDEX "durable_execution_due"')
    (finding,) = only("indexes_missing")
    assert [place.id for place in finding.where] == ["durable_execution_due"]


def test_where_migrations_are_missing_nothing_else_is_asked():
    MigrationRecorder(connection).record_unapplied("durable_django", "0001_initial")
    Worker.objects.all().delete()
    (finding,) = doctor.examine()
    assert finding.code == "tables_missing"
    assert finding.todo == "Run: manage.py migrate --database default"


def test_what_our_system_checks_say_is_told_and_nobody_elses(settings):
    settings.DURABLE = {"THREDS": 3}
    (finding,) = [each for each in only("check") if each.subject == "durable_django.E002"]
    assert finding.severity == "error"
    assert "THREDS" in finding.what
    assert {each.subject.partition(".")[0] for each in only("check")} == {"durable_django"}
    settings.SILENCED_SYSTEM_CHECKS = ["durable_django.E002"]
    assert "durable_django.E002" not in {each.subject for each in only("check")}


def test_a_check_of_a_workflow_says_which():
    finding = database._of_check(Error("It is so.", obj="shop.workflows.Order", id="x.E1"))
    assert finding.subject == "x.E1 shop.workflows.Order"
    assert finding.where[0].id == "shop.workflows.Order"


def test_no_name_of_a_finding_comes_twice():
    keys = [each.key for each in doctor.examine()]
    assert len(keys) == len(set(keys))
    assert "indexes_missing" not in found()
