"""``durable metrics``: the figures of the engine, in Prometheus' text format or as JSON.

For who collects metrics from files or by a command, and to look at them. It only reads.
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from rich.text import Text

from .. import metrics
from .command import DONE, Command
from .screen import Terminal


class Metrics(Command):
    """All of them, at this moment."""

    name = "metrics"
    help = "print the metrics, in Prometheus' text format"
    epilog = """\
manage.py durable metrics
manage.py durable metrics > /var/lib/node_exporter/durable.prom
manage.py durable metrics --json
"""

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """Prints them."""
        found = metrics.collect()
        if terminal.json:
            terminal.emit({"metrics": [_document(metric) for metric in found]})
        else:
            # Not as prose, which is wrapped at the edge of a terminal: a line is a line.
            text = Text(metrics.as_prometheus(found).removesuffix("\n"))
            terminal.out.print(text, soft_wrap=True)
        return DONE


def _document(metric: metrics.Metric) -> dict[str, Any]:
    return {
        "name": metric.name,
        "kind": metric.kind,
        "help": metric.help,
        "samples": [
            {
                "name": metric.name + sample.suffix,
                "labels": dict(sample.labels),
                "value": sample.value,
            }
            for sample in metric.samples
        ],
    }
