"""A metric: a name, what it means, and its samples. Frozen; it knows no database and no format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True)
class Sample:
    """One number. ``labels`` say of what; ``suffix`` is only that of a histogram's parts."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""


@dataclass(frozen=True)
class Metric:
    """``help`` is a sentence or two for people. A gauge goes up and down; a counter only up, until
    it begins anew at 0; a histogram counts durations in classes.

    >>> Metric("durable_workers", "gauge", "Workers.", (Sample(2, {"state": "alive"}),)).value(
    ...     state="alive"
    ... )
    2
    """

    name: str
    kind: Kind
    help: str
    samples: tuple[Sample, ...] = ()

    def value(self, suffix: str = "", **labels: str) -> float:
        """The sample that has these labels. LookupError if there is none."""
        for sample in self.samples:
            if sample.suffix == suffix and dict(sample.labels) == labels:
                return sample.value
        raise LookupError(f"{self.name} has no sample {labels!r}")


def gauge(name: str, help: str, samples: Iterable[Sample]) -> Metric:
    """A metric that goes up and down."""
    return Metric(name, "gauge", help, tuple(samples))


def plain(name: str, help: str, value: float) -> Metric:
    """One number without labels that goes up and down."""
    return gauge(name, help, [Sample(value)])
