"""Spans that a test makes, and how they hang together. The fixture is `spans`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from durable_django import Workflow, step


class Spans:
    """What was told so far."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @property
    def all(self) -> list[ReadableSpan]:
        """In the order in which they ended."""
        return list(self._exporter.get_finished_spans())

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.all]

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (found,) = self.named(name)
        return found

    def parents(self) -> dict[str, str | None]:
        """Name -> that of its parent; None without a parent, or if that is not told."""
        names = {span.context.span_id: span.name for span in self.all}
        return {
            span.name: names.get(span.parent.span_id) if span.parent else None for span in self.all
        }

    def traces(self) -> set[int]:
        return {span.context.trace_id for span in self.all}

    @contextmanager
    def caller(self, name: str = "request") -> Iterator[Any]:
        """As if a view were traced by somebody else's instrumentation."""
        with self.provider.get_tracer("somebody").start_as_current_span(name) as span:
            yield span


def make_two() -> type[Workflow]:
    """Two steps, one behind the other."""

    class Two(Workflow):
        class Meta:
            name = "two"

        @step
        def first(self):
            return 1

        @step
        def second(self):
            return 2

    return Two
