"""The tests that are left out when runs are handed over by hints: by name, each with the reason.

Only what is about a thing that there is not under this executor. A name that no test has any more
is an error.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

# Reason -> file or test, without what stands in brackets.
LEFT_OUT: dict[str, list[str]] = {
    "has clusters of Django-Q2 of its own, with the brokers it wants": [
        "scenarios/test_django_q.py",
        "scenarios/test_kill_django_q.py",
        "scenarios/test_hosts.py",
    ],
    "is about the processes and the supervisor of durable_worker; a cluster starts its own": [
        "scenarios/test_processes.py",
    ],
    "counts the processes that it has started and that died; those of a cluster are replaced": [
        "scenarios/test_kill.py::test_a_run_that_kills_its_worker_ends_and_spares_those_beside_it",
        "scenarios/test_kill.py::test_several_poisons_end_and_spare_a_hundred_others",
        "scenarios/test_kill_compensation.py"
        "::test_a_handler_that_kills_its_worker_is_given_up_and_spares_the_rest",
        "scenarios/test_kill_strands.py"
        "::test_an_item_that_kills_its_worker_ends_and_spares_those_beside_it",
        "scenarios/test_wait_races.py"
        "::test_what_a_killed_worker_had_parked_is_woken_in_time_by_another",
    ],
    "counts what is written by, or told to, one worker; here are several": [
        "worker/test_at_most_once.py::test_it_is_interrupted_for_good_when_its_worker_dies_inside",
        "worker/test_leases.py::test_a_worker_declared_dead_drops_all_and_registers_anew",
        "worker/test_service.py::test_a_worker_says_which_workflows_it_has",
        "worker/test_service.py::test_burst_ends_when_nothing_is_ready",
        "worker/test_service.py::test_a_stop_before_it_has_begun_is_a_stop",
        "worker/test_leases.py"
        "::test_many_suspects_are_served_one_after_another_and_nothing_is_stuck",
        "worker/test_strands.py::test_results_come_in_item_order_whoever_ends_first",
    ],
    "wants more steps to begin at once than there are carriers, or one event loop for all": [
        "worker/test_async_steps.py::test_fifty_await_one_event_at_the_same_time",
        "worker/test_async_steps.py::test_a_slow_async_step_holds_no_thread",
        "worker/test_slow_steps.py::test_checkpoints_go_on_while_every_thread_is_held",
        "worker/test_strands.py"
        "::test_async_members_wait_at_the_same_time_as_many_as_the_threads_allow",
    ],
    "a cluster that is told to end waits for the runs it has in hand": [
        "worker/test_service.py::test_stop_ends_the_running_step_and_hands_the_rest_back",
    ],
    "looks into the claims, the memory or the threads of the leader of a worker": [
        "worker/test_compensation.py::test_a_rollback_begins_at_once_and_not_with_the_next_poll",
        "worker/test_postgresql.py"
        "::test_what_somebody_has_locked_when_it_is_handed_back_is_given_back_later",
        "worker/test_queues.py::test_a_pause_is_seen_within_a_poll_by_a_worker_that_is_busy",
        "worker/test_queues.py::test_what_runs_while_its_queue_is_paused_goes_on_to_its_end",
        "worker/test_races.py::test_a_wake_up_during_a_fetch_is_not_cleared_by_it",
        "worker/test_races.py::test_a_cancel_is_seen_by_what_waited_in_memory",
        "worker/test_slow_steps.py::test_the_leader_sleeps_while_every_thread_is_held",
        "worker/test_slow_steps.py"
        "::test_what_waits_longer_than_poll_seconds_is_handed_to_another_worker",
        "worker/test_slow_steps.py::test_what_is_handed_back_is_left_to_others_for_a_while",
        "worker/test_slow_steps.py"
        "::test_a_run_cancelled_while_it_waits_for_a_thread_does_not_start",
        "worker/test_step_timeouts.py::test_a_process_with_too_many_stuck_threads_ends",
        "worker/test_taking.py::test_what_a_leader_had_claimed_when_it_failed_is_given_back",
        "worker/test_taking.py"
        "::test_what_is_passed_over_when_it_is_handed_back_is_looked_for_again",
    ],
    "priority and queue decide who is handed over next, and not who is taken of those that were": [
        "scenarios/test_pausing.py::test_drain_leaves_a_run_alone_that_another_one_has_paused",
        "worker/test_waves.py::test_higher_priority_goes_first_then_age",
        "worker/test_waves.py::test_queues_are_served_in_the_order_of_the_command_line",
    ],
    "says how late a retry may be, on cores that three clusters and three sweepers share here": [
        "scenarios/test_postgresql_clocks.py",
    ],
    "the inline driver cannot wait for another member, as a carrier does (test_waits_races.py)": [
        "scenarios/test_wait_blocks.py"
        "::test_of_an_event_and_a_timer_the_earlier_wins_whenever_a_worker_looks",
    ],
}
REASONS = {f"tests/{name}": reason for reason, names in LEFT_OUT.items() for name in names}


def without_a_test(names: Iterable[str]) -> list[str]:
    """Those of the names that stand for no file or test any more."""
    return [name for name in names if not _is_there(*name.split("::"))]


def _is_there(file: str, *parts: str) -> bool:
    path = ROOT / file
    return path.exists() and all(
        re.search(rf"^ *(def|class) {part}\b", path.read_text(), re.MULTILINE) for part in parts
    )


def name_of(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


def reason_for(item: pytest.Item) -> str:
    """Why it is left out; "" if it is not."""
    name = name_of(item)
    return REASONS.get(name) or REASONS.get(name.partition("::")[0], "")


def sorted_out(items: list[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """(those that run, those that are left out)."""
    left_out = [item for item in items if reason_for(item)]
    return [item for item in items if not reason_for(item)], left_out


def told(left_out: list[pytest.Item]) -> Iterator[str]:
    """For people: each reason, how many tests it is for, and which."""
    for reason in LEFT_OUT:
        found = [item for item in left_out if reason_for(item) == reason]
        if found:
            yield f"{reason}: {len(found)}"
            yield from sorted({f"    {name_of(item)}" for item in found})
