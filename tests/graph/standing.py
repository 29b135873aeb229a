"""Where a run stands, as its graph would say."""

from durable_django.definition import registry
from durable_django.graph import States, read_states
from durable_django.models import Execution


def states_of(execution: Execution) -> States:
    """The states of a run, read afresh, in the plan of its code."""
    found = Execution.objects.get(pk=execution.pk)
    return read_states(found, registry.get(found.workflow_name).definition.structure())


def statuses(execution: Execution) -> dict[str, str]:
    """Node -> status, of those that were reached."""
    return {name: state.status for name, state in states_of(execution).nodes.items()}
