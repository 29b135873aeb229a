"""Which names a node may have, and which are taken. Says why not; raises nothing itself.

The names of features that are still to come are reserved already, so that adding them breaks no
one.
"""

from __future__ import annotations

# Fits every column that holds a node's name or a path made of such names.
NODE_NAME_LENGTH_MAX = 100

_WAITS = (
    "sleep_for",
    "sleep_until",
    "wait_for_event",
    "wait_for_any",
    "wait_for_all",
    "wait_for_input",
    "wait_for_approval",
    "wait_for_choice",
    "wait_for_text",
    "wait_for_form",
    "wait_for_callback",
    "call_workflow",
    "start_workflow",
    "once",
)

# What `self` and the class answer to: neither a node nor a plain attribute may take these.
RUN_NAMES: frozenset[str] = frozenset(
    (
        *_WAITS,
        *(f"a{name}" for name in _WAITS),
        *("input", "context", "outputs", "answers", "item", "index", "iteration"),
        *("execution_id", "attempt", "step_name", "logger", "idempotency_key"),
        *("progress", "callback_url", "finish"),
        *("start", "astart", "definition", "_attempt", "_for_attempt", "_plan"),
    )
)

# What a class may define itself, but never as a node.
HOOK_NAMES: frozenset[str] = frozenset({"Meta", "clean_input"})

# What a class body uses to make nodes: a constant of that name does no harm, a node would.
DSL_NAMES: frozenset[str] = frozenset(
    {"step", "decision", "branch", "parallel", "sequence", "foreach", "race", "loop"}
)


def fault_of_node_name(name: str) -> str | None:
    """Why `name` cannot name a node, as the end of a sentence, or None when it can.

    Example: ``fault_of_node_name("_charge")`` → ``"begins with an underscore, but …"``.
    """
    if name.startswith("_"):
        return "begins with an underscore, but a node's name is public: take the underscore away"
    if name in RUN_NAMES or name in HOOK_NAMES:
        return "is reserved (it means something on every workflow): give the node another name"
    if name in DSL_NAMES:
        return "is reserved (it makes nodes): give the node another name"
    if not name.isidentifier():
        return "is no Python name"
    if len(name) > NODE_NAME_LENGTH_MAX:
        return f"is longer than {NODE_NAME_LENGTH_MAX} characters"
    return None


def fault_of_plain_name(name: str) -> str | None:
    """Why an ordinary attribute of a workflow cannot be called `name`, or None when it can."""
    if name in RUN_NAMES:
        return "is reserved (it means something on every workflow): give the attribute another name"
    if name in ("__init__", "__new__"):
        return (
            "would never be called: the engine makes a new object for each attempt; "
            "keep data in self.context, or use a cached_property"
        )
    return None
