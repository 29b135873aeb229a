"""`durable list`: runs in a terminal."""

from durable_django import Workflow, step


def make_greeting() -> type[Workflow]:
    class Greeting(Workflow):
        class Meta:
            name = "greeting"

        @step
        def hello(self):
            return "hello"

    return Greeting


def test_the_newest_run_stands_first(durable, terminal):
    Greeting = make_greeting()
    first, second = Greeting.start(), durable.run(Greeting)
    said = terminal("list")
    assert said.code == 0
    assert [line.split()[0] for line in said.lines] == ["ID", str(second.pk), str(first.pk)]
    assert "✓ completed" in said.lines[1]
