"""The class: what a user writes, read once at import into a frozen Definition.

Imports no model, no settings and no clock; it knows nothing of how a run is stored or driven.
"""
