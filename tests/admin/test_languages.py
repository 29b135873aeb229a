"""The pages in other languages: whole, the right way round, and in English where nobody asks."""

import html
import re

import pytest
from django.urls import reverse
from django.utils import translation

from durable_django.models import ExecutionStatus
from tests.admin.conftest import LIST, page_of, whole_page
from tests.admin.rows import make_run
from tests.admin.test_permissions_matrix import World
from tests.admin.urls import NOBODY, needs, pages
from tests.catalogues import LANGUAGES, po_of, texts

pytestmark = pytest.mark.usefixtures("isolated", "languages")

RIGHT_TO_LEFT = ("ar",)
# Nobody may add or delete most of it; an export is no page.
PAGES = [
    page
    for page in pages()
    if needs()[page.name] is not NOBODY and not page.name.endswith("_export")
]
OVERVIEW = reverse("admin:durable_django_overview_changelist")


@pytest.fixture
def languages(settings):
    """As in a project that lets the browser choose the language."""
    middleware = list(settings.MIDDLEWARE)
    after = middleware.index("django.contrib.sessions.middleware.SessionMiddleware") + 1
    middleware.insert(after, "django.middleware.locale.LocaleMiddleware")
    settings.MIDDLEWARE = middleware
    settings.USE_I18N = True


@pytest.fixture(params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture
def reader(admin_client, language):
    """An administrator whose browser asks for the language."""
    admin_client.defaults["HTTP_ACCEPT_LANGUAGE"] = language
    return admin_client


def said(language: str) -> dict[str, str]:
    """What the catalogue makes of each English text that has one form and nothing to fill in."""
    po = po_of(language).read_text(encoding="utf-8")
    return {
        entry.message.text: entry.said[0]
        for entry in texts(po)
        if not entry.message.plural and not entry.message.context and "%" not in entry.message.text
    }


def visible_text(response) -> str:
    """What a page says, without its markup; values of attributes are said, too. What is English in
    every language, and says so, is left out."""
    content = re.sub(
        r'<bdi\b[^>]* lang="en".*?</bdi>', "", response.content.decode(), flags=re.DOTALL
    )
    return html.unescape(re.sub(r"<(?:/?\w+|!\w+)|>", " ", content))


@pytest.mark.django_db
@pytest.mark.parametrize("page", PAGES, ids=str)
def test_no_page_says_an_english_sentence_that_has_a_translation(reader, language, page):
    response = reader.get(World().address(page), follow=True)
    assert response.status_code == 200
    translated = said(language)
    sentences = [text for text, other in translated.items() if " " in text and other != text]
    assert len(sentences) > 200
    shown = visible_text(response)
    # Short ones stand in names that are nobody's language, too.
    assert [text for text in sentences if len(text) > 12 and text in shown] == []


def test_a_page_names_its_language_and_its_direction(reader, language):
    content = reader.get(OVERVIEW).content.decode()
    direction = "rtl" if language in RIGHT_TO_LEFT else "ltr"
    assert f'lang="{language}" dir="{direction}"' in content


def test_statuses_and_titles_are_in_the_language(reader, language):
    run = make_run("waiting")
    translated = said(language)
    listed = visible_text(reader.get(LIST))
    assert translated["waiting"] in listed
    assert translated["Overview"] in listed
    shown = whole_page(reader, run)
    assert translated["Why is it not moving?"] in html.unescape(shown)


def test_what_is_imported_once_is_translated_each_time(language):
    translated = said(language)
    with translation.override("en"):
        english = [str(status.label) for status in ExecutionStatus]
    with translation.override(language):
        labels = [str(status.label) for status in ExecutionStatus]
    assert labels == [translated[label] for label in english]


def test_who_asks_for_no_language_that_we_have_reads_english(admin_client):
    run = make_run("waiting")
    response = admin_client.get(page_of(run), HTTP_ACCEPT_LANGUAGE="tlh")
    assert 'lang="en" dir="ltr"' in response.content.decode()
    assert "Why is it not moving?" in visible_text(response)
