"""Workflows that several tests look at; registered nowhere outside of them."""

from durable_django.definition import registry
from durable_django.definition.nodes import step
from durable_django.definition.workflow import Workflow
from tests.definition.toys import choice, group

with registry.isolate():

    class Order(Workflow):
        @step
        def validate(self):
            return ["base"]

        @step
        def charge(self):
            return ["charged"]

        @step
        async def send(self):
            return ["sent"]

    class Trip(Workflow):
        @step
        def plan(self): ...

        with group() as booking:

            @step
            def flight(self): ...

            with group() as hotel:

                @step
                def room(self): ...
                @step
                def breakfast(self): ...

            @step
            def car(self): ...

        @step
        def go(self): ...

    class Claim(Workflow):
        with choice() as decide:
            with decide.case("yes"):

                @step
                def pay(self): ...

            with decide.case("no"):

                @step
                def refuse(self): ...
                @step
                def explain(self): ...
