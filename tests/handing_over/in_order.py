"""The stories in which members begin in the order in which they are declared, or runs in that of
their priority: a test that says which of them fails, wins or finishes first. Hints come in order to
these; they come twice and late as to all others.
"""

# File of tests/scenarios -> its tests.
STORIES: dict[str, list[str]] = {
    "test_compensation_beginnings.py": [
        "test_a_parked_run_is_undone_when_it_is_stopped",
    ],
    "test_compensation_context.py": [
        "test_a_fork_whose_name_begins_another_one_is_not_taken_for_it",
        "test_a_handler_inside_two_forks_sees_what_its_item_set_after_the_inner_one",
        "test_a_handler_of_a_loser_sees_what_that_had_set",
        "test_a_key_that_changed_its_type_since_stops_no_handler_of_a_member",
        "test_changes_of_members_that_do_not_go_together_stop_no_rollback",
        "test_members_of_one_key_see_what_each_had_set",
        "test_numbers_of_members_that_cannot_be_added_up_stop_no_rollback",
    ],
    "test_compensation_handlers.py": [
        "test_the_first_handler_may_be_the_one_that_is_tried_again",
    ],
    "test_compensation_members.py": [
        "test_a_fork_within_a_fork_is_undone_as_far_as_each_member_got",
        "test_a_run_that_cannot_finish_as_a_member_wanted_has_failed_and_is_undone",
        "test_all_members_of_a_race_are_undone_the_losers_too",
        "test_of_a_member_that_was_cancelled_the_completed_steps_are_undone",
        "test_what_completed_members_did_is_undone_when_another_one_failed",
    ],
    "test_compensation_resumes.py": [
        "test_a_page_ends_anywhere_and_workers_die_on_the_way",
    ],
    "test_compensation_views.py": [
        "test_in_a_foreach_within_a_loop_it_sees_the_outputs_of_that_turn",
        "test_ten_items_are_undone_each_with_its_item_index_and_outputs",
    ],
    "test_foreach.py": [
        "test_collect_runs_all_and_judges_at_the_end",
        "test_finish_in_an_item_keeps_the_changes_of_the_items_before",
        "test_no_more_than_the_given_number_run_at_once_and_in_item_order",
    ],
    "test_parallel.py": [
        "test_finish_in_a_member_ends_the_run_and_keeps_what_had_completed",
        "test_the_first_failure_ends_the_block_and_is_the_error_of_the_run",
    ],
    "test_race.py": [
        "test_a_loser_cannot_finish_the_run_and_a_member_can",
        "test_the_first_to_complete_wins_and_the_others_are_cancelled",
        "test_who_won_is_recorded_and_not_asked_again",
    ],
    "test_skipping_members.py": [
        "TestParallel::test_a_member_that_is_a_block_is_skipped_as_a_whole",
        "TestParallel::test_a_node_is_skipped_in_its_member_which_goes_on",
        "TestParallel::test_the_parallel_itself_is_skipped_with_what_its_members_did",
        "TestRace::test_a_member_that_goes_on_behind_what_was_skipped_may_win",
    ],
    "test_strand_recovery.py": [
        "test_a_strand_cancelled_after_its_last_atomic_step_is_through_when_it_is_retried",
    ],
    "test_strand_retries.py": [
        "test_a_failed_run_goes_on_in_the_members_that_failed_or_were_cancelled",
    ],
    "test_wait_races.py": [
        "test_events_from_another_process_wake_runs_of_two_workers",
        "test_what_a_killed_worker_had_parked_is_woken_in_time_by_another",
    ],
    "test_wait_crashes.py": [
        "test_a_member_that_has_lost_keeps_only_what_it_has_seen",
    ],
    "test_wait_stories.py": [
        "test_a_wait_that_completed_is_undone_by_its_own_compensation",
        "test_members_are_asked_and_answered_each_for_itself",
    ],
}
IN_ORDER = {f"tests/scenarios/{file}::{test}" for file, tests in STORIES.items() for test in tests}
