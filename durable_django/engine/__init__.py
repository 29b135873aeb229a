"""The pure engine: the state machine, the context and its operations, the gate for values.

Frozen data in and out; no clock, no settings, no database, no logging.
"""
