"""These tests are collected under the settings of the theme only."""

from django.conf import settings

from tests.admin.browser import (  # noqa: F401  fixtures
    chromium,
    open_page,
    page,
    server,
)

collect_ignore_glob = [] if "unfold" in settings.INSTALLED_APPS else ["test_*.py"]
