"""The catalogues of translations: whole, true to the English, and compiled as they are written.

They are read by Python alone: who runs the tests needs no GNU gettext. `make translations` writes
them, and is what to run when one of these fails after a text was changed.
"""

import gettext
import re
from pathlib import Path

import django
import pytest

from tests.catalogues import LANGUAGES, Message, entries, in_f_strings, marked, po_of, texts

HAND_MADE = ("ar", "de")
PLACEHOLDER = re.compile(r"%%|%\(\w+\)[#0\- +]*\d*(?:\.\d+)?[a-zA-Z]|%[a-zA-Z]|\{[^{}]*\}")
TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
# The texts of others that people see beside ours: one catalogue holds all of them.
OTHERS = ("contrib/admin", "contrib/auth", "contrib/humanize")


@pytest.fixture(params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture
def po(language):
    return po_of(language).read_text(encoding="utf-8")


def compiled(path: Path) -> dict:
    with path.open("rb") as file:
        return vars(gettext.GNUTranslations(file))["_catalog"]


def key(message: Message) -> str:
    """As a compiled catalogue names it."""
    return f"{message.context}\x04{message.text}" if message.context else message.text


def held(text: str) -> list[str]:
    return sorted([*PLACEHOLDER.findall(text), *TAG.findall(text)])


def edges(text: str) -> tuple[str, str]:
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


def test_the_package_speaks_arabic_and_german():
    assert set(HAND_MADE) <= set(LANGUAGES)


def test_every_text_that_the_sources_mark_is_in_each_catalogue_and_no_other(po):
    wanted = marked()
    known = {entry.message for entry in texts(po)}
    assert len(wanted) > 500
    missing = {message: where for message, where in wanted.items() if message not in known}
    assert missing == {}, "make translations adds them"
    assert known - set(wanted) == set(), "make translations takes them away"


def test_no_text_is_marked_where_gettext_does_not_look():
    assert in_f_strings() == [], "inside an f-string: mark it on a line of its own"


def test_no_text_stands_in_a_catalogue_twice(po):
    messages = [entry.message for entry in texts(po)]
    assert len(messages) == len(set(messages))


def test_every_text_is_translated_in_all_its_forms(po):
    assert [entry.message for entry in texts(po) if not all(entry.said)] == []
    (header,) = (entry.said[0] for entry in entries(po) if not entry.message.text)
    forms = int(re.search(r"nplurals=(\d+)", header)[1])
    plurals = [entry for entry in texts(po) if entry.message.plural]
    assert plurals
    assert [entry.message for entry in plurals if len(entry.said) != forms] == []


def test_no_translation_is_a_guess_or_left_over(po):
    assert [entry.message for entry in texts(po) if "fuzzy" in entry.flags] == []
    assert [line for line in po.splitlines() if line.startswith("#~")] == []


def test_placeholders_and_markup_are_those_of_the_english(po):
    """The form for one thing (or none, or two) may say so in words instead of with the number."""
    wrong = []
    for entry in texts(po):
        wanted = held(entry.message.plural or entry.message.text)
        for said in entry.said:
            lacking = [part for part in wanted if part not in held(said)]
            in_words = entry.message.plural and all(part[:4] == "%(n)" for part in lacking)
            kept = [part for part in wanted if part not in lacking] if in_words else wanted
            if held(said) != kept:
                wrong.append((entry.message.text, said))
    assert wrong == []


def test_white_space_at_the_ends_is_that_of_the_english(po):
    assert [
        (entry.message.text, said)
        for entry in texts(po)
        for said in entry.said
        if edges(said) != edges(entry.message.text)
    ] == []


def test_the_compiled_catalogue_is_the_written_one(language, po):
    written = {}
    for entry in texts(po):
        if entry.message.plural:
            written |= {(key(entry.message), n): said for n, said in enumerate(entry.said)}
        else:
            written[key(entry.message)] = entry.said[0]
    found = compiled(po_of(language).with_suffix(".mo"))
    assert {name: said for name, said in found.items() if name} == written


def test_no_text_of_djangos_own_pages_is_said_otherwise_because_we_are_installed(language, po):
    """Django has one catalogue for all apps: the same text in two of them is one text."""
    ours = {key(entry.message): entry.said[0] for entry in texts(po) if not entry.message.plural}
    differing = {}
    for other in OTHERS:
        path = Path(django.__file__).parent / other / "locale" / language / "LC_MESSAGES"
        if not (path / "django.mo").exists():
            continue
        for text, said in compiled(path / "django.mo").items():
            if text and ours.get(text, said) != said:
                differing[text] = (ours[text], said)
    assert differing == {}
