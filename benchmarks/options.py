"""The options of the command line, of ``python -m benchmarks`` and of its sessions alike."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace

from .databases import KINDS
from .sizes import FULL, QUICK, Sizes

LOAD_NAMES = (
    *("drain", "latency", "start", "forks", "loops", "sleeping", "slow", "idle", "memory"),
    *("parked", "clusters", "pages"),
)
# Those that need more than a checkout has: only if they are asked for.
ASKED_FOR = frozenset({"clusters", "pages"})


def parser() -> ArgumentParser:
    """Its options are all optional: without any everything is measured, on both databases."""
    made = ArgumentParser(
        prog="python -m benchmarks",
        description="Measures the engine with real worker processes. See benchmarks/README.md.",
    )
    made.add_argument(
        "--databases",
        type=_names(KINDS),
        default=list(KINDS),
        help="sqlite, postgresql or both (a server is started unless DATABASE_URL names one)",
    )
    made.add_argument(
        "--loads",
        type=_names(LOAD_NAMES),
        help=f"some of {','.join(LOAD_NAMES)} (default: all but clusters and pages; --quick: nor "
        "memory)",
    )
    made.add_argument(
        "--quick", action="store_true", help="small loads, one round: a minute or two"
    )
    made.add_argument("--rounds", type=int, help="medians of so many (default: 3, with --quick 1)")
    made.add_argument("--markdown", action="store_true", help="print the tables of the README")
    return made


def sizes_of(options: Namespace) -> Sizes:
    """What the options ask for."""
    sizes = QUICK if options.quick else FULL
    return replace(sizes, rounds=max(1, options.rounds or sizes.rounds))


def loads_of(options: Namespace) -> list[str]:
    """The loads to run, in the order of the table."""
    if options.loads:
        return [name for name in LOAD_NAMES if name in options.loads]
    left_out = {*ASKED_FOR, "memory"} if options.quick else ASKED_FOR
    return [name for name in LOAD_NAMES if name not in left_out]


def _names(known: Sequence[str]) -> Callable[[str], list[str]]:
    def read(given: str) -> list[str]:
        names = [name.strip() for name in given.split(",") if name.strip()]
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            raise ArgumentTypeError(f"{given!r} is not among {', '.join(known)}")
        return names

    return read
