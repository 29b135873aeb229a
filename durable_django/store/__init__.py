"""The transitions: the only place that writes the tables. One module a family, each a transaction.

Two rules hold throughout: every write on behalf of a worker is fenced by the lease number taken at
the claim, and locks are taken in the order (root_id, depth, id).
"""
