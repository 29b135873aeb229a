"""Metrics as text, in the exposition format of Prometheus, version 0.0.4.

Names of queues, workflows and schedules are what people chose: they are escaped, and characters
that cannot be printed are written as escapes. It asks nothing of anybody.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ..engine.values import visible
from .metric import Metric

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def as_prometheus(metrics: Iterable[Metric]) -> str:
    r"""The text a Prometheus server reads, each metric with its HELP and TYPE.

    >>> from durable_django.metrics import Metric, Sample
    >>> print(as_prometheus([Metric("durable_x", "gauge", "X.", (Sample(1, {"queue": "a\"b"}),))]))
    # HELP durable_x X.
    # TYPE durable_x gauge
    durable_x{queue="a\"b"} 1
    <BLANKLINE>
    """
    lines = [line for metric in metrics for line in _lines(metric)]
    return "".join(f"{line}\n" for line in lines)


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {_escaped(metric.help)}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for sample in metric.samples:
        yield f"{metric.name}{sample.suffix}{_labels(sample.labels)} {_number(sample.value)}"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    told = (f'{name}="{_quoted(value)}"' for name, value in labels.items())
    return f"{{{','.join(told)}}}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(value: str) -> str:
    # The format would take a tab and a return; who reads a line of it with their eyes would not.
    shown = visible(value).replace("\t", "\\t").replace("\r", "\\r")
    return _escaped(shown).replace('"', '\\"')


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))
