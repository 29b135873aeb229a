"""`durable metrics`: what a monitoring system reads, and what a program does."""

from prometheus_client.parser import text_string_to_metric_families

from tests.admin.rows import make_run


def test_what_is_printed_is_what_prometheus_reads(terminal):
    make_run(status="failed", queue="high \N{HIGH VOLTAGE SIGN}")
    make_run(queue='a "b" \\ \x1b[31mc\n' + "d" * 60)
    said = terminal("metrics")
    assert (said.code, said.err) == (0, "")
    found = {family.name: family for family in text_string_to_metric_families(said.out)}
    failed = [
        s.value for s in found["durable_executions"].samples if s.labels["status"] == "failed"
    ]
    assert failed == [1]
    queues = {sample.labels["queue"] for sample in found["durable_queue_ready"].samples}
    assert queues == {'a "b" \\ \\x1b[31mc\n' + "d" * 60}


def test_a_narrow_terminal_cuts_nothing(terminal):
    make_run()
    wide, narrow = (
        terminal("metrics", "--no-color", width=width, is_terminal=True) for width in (200, 40)
    )
    first, second = ([line.split(" ")[0] for line in said.lines] for said in (wide, narrow))
    assert first == second


def test_a_program_gets_the_same_numbers(terminal):
    make_run(status="failed")
    said = terminal("metrics", "--json")
    found = {metric["name"]: metric for metric in said.json["metrics"]}
    executions = found["durable_executions"]
    assert (executions["kind"], set(executions)) == ("gauge", {"name", "kind", "help", "samples"})
    assert {
        "name": "durable_executions",
        "labels": {"status": "failed"},
        "value": 1,
    } in executions["samples"]
    parts = {sample["name"] for sample in found["durable_execution_duration_seconds"]["samples"]}
    assert parts <= {f"durable_execution_duration_seconds_{s}" for s in ("bucket", "sum", "count")}
