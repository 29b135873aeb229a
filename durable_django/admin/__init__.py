"""The Django admin: where people watch runs and cancel them.

It reads rows and calls ``durable_django.api``; it decides nothing about a run, and nothing here can
be edited by hand.
"""

from . import definitions, executions, workers  # noqa: F401  each registers its pages
