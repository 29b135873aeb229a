"""What the engine costs: drains, latency, starts, idling, memory. ``python -m benchmarks``.

Not part of the package. Every figure is taken with real `manage.py durable_worker` processes.
"""
