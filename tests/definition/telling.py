"""`told`: a mistake is told with the words that help, at the file and line where it stands."""

import inspect
import linecache
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from durable_django.exceptions import DefinitionError

MARK = "# here"


@contextmanager
def told(*words: str) -> Iterator[None]:
    """Its block raises a DefinitionError with all these words, at the line marked so."""
    caller = inspect.stack()[2].filename
    with pytest.raises(DefinitionError) as caught:
        yield
    error = caught.value
    assert error.filename == caller
    assert error.line is not None
    assert MARK in linecache.getline(caller, error.line), f"line {error.line}: {error}"
    assert str(error).endswith(f"({caller}:{error.line})")
    for word in words:
        assert word in error.message
