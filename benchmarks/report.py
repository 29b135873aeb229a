"""The table, for a terminal and for the README. Knows no Django."""

from collections.abc import Iterator

from .figures import DatabaseFigures, Figure
from .goals import goal_of

HEAD = (
    "",
    "figure",
    "of floor",
    "statements",
    "commits",
    "client CPU ms",
    "server CPU ms",
    "wall s",
    "must reach (aim)",
)


def text(database: DatabaseFigures) -> Iterator[str]:
    """Aligned columns."""
    rows = [HEAD, *_rows(database)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    yield database.setting
    yield ""
    for row in rows:
        first, *others = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        yield "  ".join(cells).rstrip()


def markdown(database: DatabaseFigures) -> Iterator[str]:
    """A table for the README."""
    yield f"{database.setting}."
    yield ""
    yield f"| {' | '.join(HEAD)} |"
    yield f"|---{'|--:' * (len(HEAD) - 1)}|"
    for row in _rows(database):
        yield f"| {' | '.join(row)} |"


def _rows(database: DatabaseFigures) -> Iterator[tuple[str, ...]]:
    floor = Figure(name=f"floor: {database.floor_is}", value=database.floor, unit="rows/s")
    for figure in (floor, *database.figures):
        yield (
            figure.name,
            f"{_number(figure.value)} {figure.unit}",
            "" if figure.of_floor is None else f"{figure.of_floor:.2f}",
            *(
                _number(number)
                for number in (
                    figure.statements,
                    figure.commits,
                    figure.worker_cpu_ms,
                    figure.server_cpu_ms,
                    figure.wall_seconds,
                )
            ),
            goal_of(figure.name, database.vendor),
        )


def _number(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return ""
    if value >= 100 or value == 0:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"
