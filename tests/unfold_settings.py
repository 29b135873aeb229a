"""Settings of the tests in `tests/unfold`: the same project under the theme of django-unfold.

A theme has to be installed before Django's admin, so these tests are a session of their own:
`python -m pytest --ds=tests.unfold_settings tests/unfold`.
"""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = ["unfold", *INSTALLED_APPS]
