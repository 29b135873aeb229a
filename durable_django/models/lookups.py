"""Lookups the hot statements and the tag filter need, each with a form for every database."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.db import connections, models
from django.db.models import JSONField, Lookup
from django.db.models.lookups import FieldGetDbPrepValueIterableMixin, In


def adapt_id(pk: UUID, using: str) -> UUID | str:
    """An id as a parameter of hand-written SQL."""
    native = connections[using].features.has_native_uuid_field
    return pk if native else pk.hex


class AnyOf(In):
    """``id__any=[...]``, or a subquery: like ``in``, but one array on PostgreSQL.

    Measured on PostgreSQL 15: locking 64 rows by ``= ANY(array)`` takes 12 µs a row, by ``IN``
    with 64 parameters 50-60 µs on a table that was never analyzed, and each count of parameters
    is a statement of its own to prepare. Of a subquery: it is run first, by itself, and what was
    found is looked up by index; never is it joined with.
    """

    lookup_name = "any"

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        lhs, params = self.process_lhs(compiler, connection)
        if not self.rhs_is_direct_value():
            # In parentheses, as whatever stands at the right of a lookup.
            subquery, inside = self.process_rhs(compiler, connection)
            return f"{lhs} = ANY(ARRAY{subquery})", [*params, *inside]
        # Not In.process_rhs: that expands the list into one placeholder per value.
        _, values = FieldGetDbPrepValueIterableMixin.get_db_prep_lookup(self, self.rhs, connection)
        return f"{lhs} = ANY(%s)", [*params, list(values)]


class HasTags(Lookup):
    """``tags__tagged=["vip"]`` or ``tags__tagged={"customer": "42"}``: runs that carry all of them.

    Tags are stored as given, a list of strings or a mapping; a list also finds mappings that have
    those keys.
    """

    lookup_name = "tagged"
    prepare_rhs = False

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        lhs, params = self.process_lhs(compiler, connection)
        if not self.rhs:
            return "1 = 1", []
        if isinstance(self.rhs, dict):
            return f"{lhs} @> %s::jsonb", [*params, json.dumps(self.rhs)]
        return f"{lhs} ?& %s", [*params, list(self.rhs)]

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        lhs, params = self.process_lhs(compiler, connection)
        one = f"EXISTS (SELECT 1 FROM json_each({lhs}) AS tag WHERE "
        clauses: list[str] = []
        values: list[Any] = []
        if isinstance(self.rhs, dict):
            for key, value in self.rhs.items():
                kinds, wanted = _as_sqlite_reads(value)
                clauses.append(f"{one}tag.key = %s AND tag.type IN {kinds} AND tag.value IS %s)")
                values += [*params, key, wanted]
        else:
            array = f"CASE json_type({lhs}) WHEN 'array' THEN tag.value ELSE tag.key END"
            for tag in self.rhs:
                clauses.append(f"{one}{array} = %s)")
                values += [*params, *params, tag]
        return " AND ".join(clauses) or "1 = 1", values


def _as_sqlite_reads(value: Any) -> tuple[str, Any]:
    """The types and the value under which ``json_each`` shows a JSON scalar."""
    if value is None:
        return "('null')", None
    if isinstance(value, bool):
        return ("('true')", 1) if value else ("('false')", 0)
    if isinstance(value, str):
        return "('text')", value
    fits = isinstance(value, float) or -(2**63) <= value < 2**63
    return "('integer', 'real')", value if fits else float(str(value))


class TagsField(JSONField):
    """A JSON list of strings, or a JSON object of scalars, that ``tagged`` can search."""


TagsField.register_lookup(HasTags)
models.UUIDField.register_lookup(AnyOf)
models.BigAutoField.register_lookup(AnyOf)
