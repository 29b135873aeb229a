"""Runs that are meddled with while a process of a cluster has them in hand."""

import time

from durable_django import Workflow, step
from tests.killing.models import Effect


class Overtime(Workflow):
    """Its step has less time than it takes."""

    class Meta:
        name = "killing.overtime"

    @step(timeout=0.2)
    def slow(self):
        Effect.objects.create(run=self.execution_id, node="slow")
        while True:
            time.sleep(0.01)


class Endless(Workflow):
    """It has less time than its step takes."""

    class Meta:
        name = "killing.endless"
        timeout = 0.5

    @step
    def slow(self):
        Effect.objects.create(run=self.execution_id, node="slow")
        while not Effect.objects.filter(node="go").exists():
            time.sleep(0.02)

    @step
    def after(self): ...


class Stands(Workflow):
    """The whole process stands still in its step, and cannot be interrupted."""

    class Meta:
        name = "killing.stands"

    @step(timeout=0.2)
    def stand(self):
        Effect.objects.create(run=self.execution_id, node="stand")
        time.sleep(3_600)
