"""Traces: spans of OpenTelemetry for starts, attempts and runs, where ``opentelemetry-api`` is
installed and the project has set a provider.

The context of a start is kept with the run as a text, W3C's "traceparent" and perhaps a space and
its "tracestate", so that it outlives processes. Whatever a tracer raises is logged and harms no
run. Nothing here touches a database, and no decision about a run may rest on it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Final
from uuid import UUID

from .version import VERSION

try:
    from opentelemetry import context as contexts
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError:  # it is an optional extra
    INSTALLED = False
else:
    INSTALLED = True
    _PROPAGATOR: Final = TraceContextTextMapPropagator()

logger = logging.getLogger("durable_django")

# Who has failed for good, of all that ends a run.
_FAILED: Final = frozenset({"failed", "timed_out", "compensated", "compensation_failed"})
# Of one provider: it makes a new tracer each time it is asked.
_tracer: tuple[Any, Any] = (None, None)
_is_fault_told = False


def is_on() -> bool:
    """Whether the project has set a provider, so that spans go somewhere. 0.3 µs."""
    if not INSTALLED:
        return False
    try:
        return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    except Exception:
        _tell_fault()
        return False


def is_traced(kept: str) -> bool:
    """Whether the attempts of a run that was started in ``kept`` need a context: they have a span,
    or at least what they call is to know the trace. Asked once for each claim of a run."""
    return (INSTALLED and bool(kept)) or is_on()


def current() -> str:
    """The context that is current here, as it is kept; "" outside of any trace.

    >>> current()
    ''
    """
    if not INSTALLED:
        return ""
    try:
        return _text_of(trace.get_current_span())
    except Exception:
        _tell_fault()
        return ""


class Span:
    """A span that is current inside its ``with``, from when that begins until it ends. ``kept`` is
    its context, to be kept with a run. Raises nothing of its own."""

    def __init__(self, name: str, attributes: Mapping[str, Any], kind: str = "INTERNAL") -> None:
        self.kept = ""
        self._name = name
        self._attributes = attributes
        self._kind = kind
        self._span: Any = None
        self._token: Any = None

    def _parent(self) -> Any:
        return contexts.get_current()

    def _links(self) -> list[Any]:
        return []

    def __enter__(self) -> Span:
        try:
            parent = self._parent()
            self._span = tracer().start_span(
                self._name,
                parent,
                kind=trace.SpanKind[self._kind],
                attributes=self._attributes,
                links=self._links(),
            )
            self.kept = _text_of(self._span)
            self._token = contexts.attach(trace.set_span_in_context(self._span, parent))
        except Exception:
            _tell_fault()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if self._token is not None:
                contexts.detach(self._token)
            if self._span is not None:
                if isinstance(error, Exception):
                    self._span.record_exception(error)
                    self._set_failed(str(error))
                self._span.end()
        except Exception:
            _tell_fault()

    def tell(self, **attributes: Any) -> None:
        """Adds attributes, which may be UUIDs, too; a name ``x`` is "durable.x"."""
        try:
            if self._span is not None:
                for name, value in attributes.items():
                    told = str(value) if isinstance(value, UUID) else value
                    self._span.set_attribute(f"durable.{name}", told)
        except Exception:
            _tell_fault()

    def ended(self, status: str, error: Mapping[str, Any] | None) -> None:
        """How the attempt ended; an error, in the form in which it is stored, as an exception."""
        self.tell(status=status)
        if error is None or self._span is None:
            return
        try:
            told = {
                "exception.type": str(error.get("type") or ""),
                "exception.message": str(error.get("message") or ""),
                "exception.stacktrace": str(error.get("traceback") or ""),
            }
            self._span.add_event("exception", told)
            self._set_failed(told["exception.message"])
        except Exception:
            _tell_fault()

    def _set_failed(self, text: str) -> None:
        self._span.set_status(trace.Status(trace.StatusCode.ERROR, text))


class Start(Span):
    """The span "start <workflow>": somebody starts a run. Child of what is current; ``again`` is
    the context of a run that is run again, to which it is linked."""

    def __init__(self, workflow_name: str, again: str = "") -> None:
        attributes = {"durable.workflow": workflow_name}
        super().__init__(f"start {workflow_name}", attributes, "PRODUCER")
        self._again = again

    def _links(self) -> list[Any]:
        before = trace.get_current_span(_context_of(self._again)).get_span_context()
        return [trace.Link(before)] if before.is_valid else []


class NoStart:
    """In place of :class:`Start` where nothing is traced here: it hands on the caller's context."""

    def __init__(self) -> None:
        self.kept = current()

    def __enter__(self) -> NoStart:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def tell(self, **attributes: Any) -> None:
        """Nobody hears it."""


def starting(workflow_name: str, again: str = "") -> Start | NoStart:
    """What to write a new run in: ``with starting("shop.order") as span: …`` keeps ``span.kept``
    with it."""
    return Start(workflow_name, again) if is_on() else NoStart()


class Attempt(Span):
    """The span of one attempt, child of the context that is kept with its run."""

    def __init__(self, name: str, kept: str, attributes: Mapping[str, Any]) -> None:
        super().__init__(name, attributes)
        self._kept_with_run = kept

    def _parent(self) -> Any:
        return _context_of(self._kept_with_run)


class Within(Attempt):
    """No span, but the context kept with a run is current."""

    def __init__(self, kept: str) -> None:
        super().__init__("", kept, {})

    def __enter__(self) -> Within:
        try:
            self._token = contexts.attach(self._parent())
        except Exception:
            _tell_fault()
        return self


def run_ended(
    workflow_name: str,
    kept: str,
    status: str,
    began_at: datetime | None,
    ended_at: datetime,
    attributes: Mapping[str, Any],
) -> None:
    """The span of a whole run, which is told when it has ended, with the times when it really
    began and ended. Raises nothing."""
    if not is_on():
        return
    try:
        told = {**attributes, "durable.workflow": workflow_name, "durable.status": status}
        begun = _nanoseconds(began_at or ended_at)
        parent = _context_of(kept)
        span = tracer().start_span(workflow_name, parent, attributes=told, start_time=begun)
        if status in _FAILED:
            span.set_status(trace.Status(trace.StatusCode.ERROR, status))
        span.end(_nanoseconds(ended_at))
    except Exception:
        _tell_fault()


def tracer() -> Any:
    """Our tracer of the provider that is set now."""
    global _tracer
    provider = trace.get_tracer_provider()
    if _tracer[0] is not provider:
        _tracer = (provider, provider.get_tracer("durable_django", VERSION))
    return _tracer[1]


def _context_of(kept: str) -> Any:
    """A context of its own: what is current in a worker's thread has nothing to do with a run."""
    parent, _, state = kept.partition(" ")
    carrier = {"traceparent": parent, "tracestate": state}
    return _PROPAGATOR.extract(carrier, contexts.Context())


def _text_of(span: Any) -> str:
    if not span.get_span_context().is_valid:
        return ""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, trace.set_span_in_context(span, contexts.Context()))
    return f"{carrier['traceparent']} {carrier.get('tracestate', '')}".strip()


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1_000


def _tell_fault() -> None:
    """Once, as a warning: it is likely to fail for every span."""
    global _is_fault_told
    level = logging.DEBUG if _is_fault_told else logging.WARNING
    _is_fault_told = True
    logger.log(level, "the tracer has failed; runs go on without spans", exc_info=True)
