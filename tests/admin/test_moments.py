"""Moments inside sentences: read from left to right in every language."""

from django.utils import translation
from django.utils.html import conditional_escape

from durable_django.admin.moments import told

SAID = "<b>: 2030-01-31 10:00:00 UTC, 2030-02-01 10:00:00 +03"


def test_moments_keep_their_direction_in_a_language_that_is_written_from_right_to_left():
    with translation.override("ar"):
        assert conditional_escape(told(SAID)) == (
            '&lt;b&gt;: <bdi dir="ltr">2030-01-31 10:00:00 UTC</bdi>, '
            '<bdi dir="ltr">2030-02-01 10:00:00 +03</bdi>'
        )
        assert conditional_escape(told("<i>")) == "&lt;i&gt;"


def test_other_languages_need_no_markup_for_moments():
    with translation.override("de"):
        assert told(SAID) == SAID
