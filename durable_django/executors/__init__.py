"""Who runs steps: the threads of ``durable_worker``, or another engine that is handed the runs."""
