"""The app: has the statements of worker processes counted when the benchmark asks for it."""

from django.apps import AppConfig

from . import counting


class BenchmarksConfig(AppConfig):
    """Its workflows are in ``workflows.py``, where durable_django finds them."""

    name = "benchmarks"

    def ready(self) -> None:
        counting.install_if_asked()
