"""Nested control flow on real threads: many runs side by side take each their own way."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

import durable_django as durable
from durable_django import Retry, Workflow, branch, decision, loop, sequence, step
from durable_django.models import Execution, StepRun


def test_many_runs_each_take_their_own_way(workers):
    class Ways(Workflow):
        class Meta:
            max_retries = 1

        with loop(until=lambda self: self.iteration == self.input["n"] % 4 + 1) as turns:
            with branch(on=lambda self: (self.input["n"] + self.iteration) % 3) as way:
                with way.case(0):

                    @step(atomic=True)
                    def kept(self):
                        self.context.append("seen", f"kept{self.iteration}")
                        return "kept"

                with way.case(1):
                    with sequence() as pair:

                        @step
                        async def later(self):
                            self.context.append("seen", f"later{self.iteration}")

                        @step
                        def then(self):
                            return "then"

        @step(retry=Retry(2, backoff="constant", base=0))
        def flaky(self):
            if self.attempt == 1:
                raise RuntimeError("the first attempt always fails")
            self.context.increment("tries")

        @decision(to=["flaky"])
        def again(self):
            return "flaky" if self.context["tries"] <= self.input["n"] % 2 else None

        @step
        def end(self):
            return self.context.get("seen", []), self.context["tries"], self.outputs["turns"]

    ids = durable.start_many(Ways, [{"n": n} for n in range(60)])
    workers.wait(workers.start(burst=True))
    runs = Execution.objects.in_bulk(ids)
    for number, pk in enumerate(ids):
        seen, last = [], None
        for turn in range(1, number % 4 + 2):
            way = (number + turn) % 3
            last = {0: "kept", 1: "then"}.get(way)
            if way in (0, 1):
                seen.append(f"{'kept' if way == 0 else 'later'}{turn}")
        assert runs[pk].status == "completed", runs[pk].error
        assert runs[pk].result == (seen, number % 2 + 1, last), number
    completed = StepRun.objects.filter(status="completed")
    assert len(set(completed.values_list("execution_id", "path"))) == completed.count()
