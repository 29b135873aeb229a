"""A music shop that runs on durable_django, to learn from and to try things on."""
