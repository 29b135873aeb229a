"""The Django admin: where people watch runs, cancel them, and give the input they wait for.

It reads rows and calls ``durable_django.api`` and ``durable_django.inputs``; it decides nothing
about a run, and nothing here can be edited by hand.
"""

from . import (  # noqa: F401  each registers its pages
    definitions,
    executions,
    inputs,
    overview,
    queues,
    schedules,
    workers,
)
