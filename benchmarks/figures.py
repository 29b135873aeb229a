"""Figures: what a measurement gives, and the median of several rounds of it. Knows no Django."""

from dataclasses import asdict, dataclass, field, fields
from statistics import median
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table; a number that was not measured is None.

    ``rows_per_second`` is what is compared to the floor: step runs, or started runs, a second.
    """

    name: str
    value: float
    unit: str
    rows_per_second: float | None = None
    statements: float | None = None
    commits: float | None = None
    worker_cpu_ms: float | None = None
    server_cpu_ms: float | None = None
    wall_seconds: float | None = None
    of_floor: float | None = None


@dataclass(kw_only=True)
class DatabaseFigures:
    """All figures of one database, and what they were taken on."""

    vendor: str
    setting: str
    floor: float
    floor_is: str
    figures: list[Figure] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "DatabaseFigures":
        figures = [Figure(**figure) for figure in data.pop("figures")]
        return cls(**data, figures=figures)


NUMBERS = [f.name for f in fields(Figure) if f.name not in ("name", "unit", "of_floor")]


def median_of(rounds: list[list[Figure]], floor: float) -> list[Figure]:
    """Number by number, the median over the rounds; in the order of the first round."""
    combined = []
    for first in rounds[0]:
        same = [figure for figures in rounds for figure in figures if figure.name == first.name]
        numbers: dict[str, Any] = {name: _median(same, name) for name in NUMBERS}
        rows = numbers["rows_per_second"]
        of_floor = rows / floor if rows is not None else None
        combined.append(Figure(name=first.name, unit=first.unit, of_floor=of_floor, **numbers))
    return combined


def _median(figures: list[Figure], name: str) -> float | None:
    found = [getattr(figure, name) for figure in figures]
    known = [number for number in found if number is not None]
    return median(known) if known else None
