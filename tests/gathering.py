"""What a logger says meanwhile."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class _Gathering(logging.Handler):
    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def gathered(name: str, level: int = logging.NOTSET) -> Iterator[list[logging.LogRecord]]:
    """`with gathered("durable_django.worker") as records:`, from that level on."""
    handler, logger = _Gathering(level), logging.getLogger(name)
    logger.addHandler(handler)
    try:
        yield handler.records
    finally:
        logger.removeHandler(handler)
