"""Template tags; see ``durable_inputs``."""
