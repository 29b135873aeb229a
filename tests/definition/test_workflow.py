"""The class itself: its plan, its objects, and everything ordinary that a class may hold."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import TYPE_CHECKING, ClassVar

import pytest
from django.utils.functional import cached_property as django_cached_property

from durable_django.definition.nodes import step
from durable_django.definition.workflow import Workflow
from durable_django.exceptions import FinishRun, InstanceState
from tests.definition.examples import Order
from tests.definition.telling import told

if TYPE_CHECKING:
    from nowhere import OrderInput


def test_the_steps_run_in_the_order_they_stand():
    definition = Order.definition
    assert list(definition.nodes) == ["validate", "charge", "send"]
    assert definition.first == "validate"
    assert definition.next_of("validate") == "charge"
    assert definition.next_of("send") is None
    assert definition.chain_of("charge") == ()
    assert definition.workflow is Order


def test_an_unknown_node_is_a_key_error():
    for ask in (Order.definition.next_of, Order.definition.chain_of, Order.definition.retry_of):
        with pytest.raises(KeyError, match="unknown"):
            ask("unknown")


def test_a_definition_cannot_change():
    with pytest.raises(AttributeError):
        Order.definition.name = "other"
    with pytest.raises(TypeError):
        Order.definition.nodes["other"] = None


def test_the_structure_is_plain_data():
    assert Order.definition.structure()["nodes"][2] == {
        "name": "send",
        "kind": "step",
        "doc": "",
        "async": True,
        "atomic": False,
        "at_most_once": False,
        "timeout": None,
        "retry": None,
    }


def test_a_workflow_without_a_node_is_told():
    with told("W: a workflow without a node does nothing"):

        class W(Workflow):  # here
            pass


def test_an_abstract_class_may_be_empty_and_has_no_definition():
    class W(Workflow):
        class Meta:
            abstract = True

    with pytest.raises(AttributeError, match="W is abstract"):
        W.definition  # noqa: B018
    assert not hasattr(Workflow, "definition")


def test_an_abstract_class_hands_its_nodes_down():
    class Base(Workflow):
        class Meta:
            abstract = True

        @step
        def first(self): ...

    class W(Base):
        @step
        def second(self): ...

    assert list(W.definition.nodes) == ["first", "second"]


def test_an_abstract_class_under_a_concrete_one_has_no_definition():
    class W(Order):
        class Meta:
            abstract = True

    assert not hasattr(W, "definition")


# Everything ordinary


def test_a_class_may_hold_what_classes_hold():
    class W(Workflow):
        """What it is for."""

        RATE: ClassVar[int] = 3
        input: OrderInput
        later: int
        ALIAS = RATE

        class Nested:
            value = 1

        @property
        def double(self):
            return self.RATE * 2

        @functools.cached_property
        def once_per_attempt(self):
            return object()

        @django_cached_property
        def django_once(self):
            return object()

        @staticmethod
        def static(x):
            return x

        @classmethod
        def cls_name(cls):
            return cls.__name__

        def helper(self):
            return __class__

        total = [n * 2 for n in range(3)]
        from math import pi

        if RATE == 3:

            @step
            def charge(self):
                return self.double

        @classmethod
        def clean_input(cls, input):
            return {**input, "cleaned": True}

    run = W._for_attempt(SimpleNamespace(input={"n": 1}))
    assert W.__doc__ == "What it is for."
    assert list(W.definition.nodes) == ["charge"]
    assert (W.RATE, W.ALIAS, W.Nested.value, W.total) == (3, 3, 1, [0, 2, 4])
    assert W.charge.body(run) == 6
    assert run.once_per_attempt is run.once_per_attempt
    assert run.django_once is run.django_once
    assert (run.static(1), run.cls_name(), run.helper()) == (1, "W", W)
    assert run.input == {"n": 1}
    assert W.clean_input({}) == {"cleaned": True}
    assert set(W.__annotations__) == {"RATE", "input", "later"}
    assert type(W.__dict__).__name__ == "mappingproxy"


def test_init_subclass_and_set_name_work():
    seen = []

    class Named:
        def __set_name__(self, owner, name):
            seen.append(name)

    class Mixin:
        def __init_subclass__(cls, *, shade=None, **kwargs):
            super().__init_subclass__(**kwargs)
            seen.append(shade)

    class W(Mixin, Workflow, shade="blue"):
        field = Named()

        @step
        def charge(self): ...

    assert seen == ["field", "blue"]


def test_the_names_python_writes_itself_pass_through():
    class W(Workflow):
        locals()["__annotate_func__"] = None
        locals()["__conditional_annotations__"] = set()
        locals()["__static_attributes__"] = ()
        locals()["__firstlineno__"] = 1

        @step
        def charge(self): ...

    assert list(W.definition.nodes) == ["charge"]


def test_a_class_made_by_calling_type_is_read_too():
    variant = type("Variant", (Order,), {"charge": None})
    assert list(variant.definition.nodes) == ["validate", "send"]
    assert variant.definition.workflow is variant
    assert variant.definition.name == "definition.Variant"
    with told("Variant.charge hides the step of Order"):
        type("Variant", (Order,), {"charge": 3})  # here


def test_clean_input_gives_the_input_back():
    assert Order.clean_input({"n": 1}) == {"n": 1}


# Objects


def test_a_workflow_is_not_made_by_calling_it():
    with pytest.raises(TypeError) as caught:
        Order()
    for words in ("Order.start(input)", "durable_django.testing.run(Order, input)", "run_step("):
        assert words in str(caught.value)
    with pytest.raises(TypeError):
        Order({"n": 1}, queue="high")


def test_the_run_tells_what_its_attempt_tells():
    told_progress = []
    attempt = SimpleNamespace(
        input={"n": 1},
        context={"a": 1},
        outputs={},
        execution_id="id",
        number=2,
        step_name="charge",
        logger="logger",
        idempotency_key="key",
        progress=lambda fraction, message: told_progress.append((fraction, message)),
    )
    run = Order._for_attempt(attempt)
    assert isinstance(run, Order)
    assert (run.input, run.context, run.outputs) == ({"n": 1}, {"a": 1}, {})
    assert (run.execution_id, run.attempt, run.step_name) == ("id", 2, "charge")
    assert (run.logger, run.idempotency_key) == ("logger", "key")
    run.progress(0.5)
    run.progress(1, "done")
    assert told_progress == [(0.5, ""), (1, "done")]
    assert repr(run) == "<Order charge of id>"


def test_finish_leaves_the_step_past_any_except():
    def careless():
        try:
            Order._for_attempt(None).finish({"total": 3})
        except Exception:
            return "caught"

    with pytest.raises(FinishRun) as caught:
        careless()
    assert caught.value.value == {"total": 3}
    assert not isinstance(caught.value, Exception)


@pytest.mark.parametrize("name", ["foo", "input", "context", "charge", "_private", "clean_input"])
def test_an_attribute_set_on_the_run_would_be_lost(name):
    run = Order._for_attempt(None)
    with pytest.raises(InstanceState) as caught:
        setattr(run, name, 1)
    assert str(caught.value) == (
        f'self.{name} would be lost after this step; use self.context["{name}"]'
    )


def test_an_attribute_cannot_be_deleted_from_the_run():
    with pytest.raises(InstanceState, match="cannot be deleted"):
        del Order._for_attempt(None).foo


def test_a_property_with_a_setter_keeps_its_setter():
    class W(Workflow):
        @property
        def total(self):
            return self.context["total"]

        @total.setter
        def total(self, value):
            self.context["total"] = value

        @step
        def charge(self):
            self.total = 3

    run = W._for_attempt(SimpleNamespace(context={}))
    W.charge.body(run)
    assert run.total == 3


def test_each_run_has_its_own_attempt():
    one, two = (
        Order._for_attempt(SimpleNamespace(number=1)),
        Order._for_attempt(SimpleNamespace(number=2)),
    )
    assert (one.attempt, two.attempt) == (1, 2)


def test_a_template_shows_a_workflow_and_a_node_without_calling_them():
    from django.template import Context, Engine

    template = Engine().from_string("{{ workflow.definition.first }} {{ node.name }}")
    assert template.render(Context({"workflow": Order, "node": Order.charge})) == "validate charge"
