"""What only PostgreSQL can have: settings that hurt, indexes that were broken off."""

from django.db import connection

from durable_django import doctor
from durable_django.doctor import database

from .sick import staffed


def only(code):
    return [each for each in doctor.examine() if each.code == code]


def test_a_setting_that_hurts_is_told_with_its_price():
    staffed()
    assert "synchronous_commit" not in {each.subject for each in only("postgresql_setting")}
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
    (finding,) = [
        each for each in only("postgresql_setting") if each.subject == "synchronous_commit"
    ]
    assert finding.title == "PostgreSQL runs with synchronous_commit = off"
    assert finding.fix is None


def test_an_index_whose_building_was_broken_off_is_missing():
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_index SET indisvalid = false "
            "WHERE indexrelid = 'durable_event_new'::regclass"
        )
    (finding,) = only("indexes_missing")
    assert [place.id for place in finding.where] == ["durable_event_new"]


def test_a_transaction_that_stays_open_is_told(monkeypatch):
    other = connection.copy()
    other.ensure_connection()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT pg_backend_pid()")
            pid = cursor.fetchone()[0]
        assert only("open_for_long") == []
        monkeypatch.setattr(database, "OPEN_LONG_SECONDS", 0)
        (finding,) = only("open_for_long")
        assert str(pid) in {place.id for place in finding.where}
    finally:
        other.close()
