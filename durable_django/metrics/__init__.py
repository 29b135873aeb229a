"""Metrics: the figures of the engine for a monitoring system, as numbers or in Prometheus' format.

Read from the database when they are asked for, at a cost that does not grow with the table; every
process of a project tells the same. It only reads, and decides nothing.
"""

from .collecting import collect
from .metric import Kind, Metric, Sample
from .text import CONTENT_TYPE, as_prometheus

__all__ = ["CONTENT_TYPE", "Kind", "Metric", "Sample", "as_prometheus", "collect"]
