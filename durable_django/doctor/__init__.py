"""The doctor: what is stuck, stale, stranded or misconfigured, what to do about it, and fixes.

>>> from durable_django import doctor
>>> for finding in doctor.examine():
...     print(finding.severity, finding.title, finding.todo)  # doctest: +SKIP

It reads figures and rows by index, up to limits, however large the tables are. Nothing is changed
but by :func:`fix`, which is safe beside workers and when it is done twice.
"""

from .examining import examine, fix
from .finding import ERROR, INFO, SEVERITIES, WARNING, Finding, Fix, Place

__all__ = [
    "ERROR",
    "INFO",
    "SEVERITIES",
    "WARNING",
    "Finding",
    "Fix",
    "Place",
    "examine",
    "fix",
]
