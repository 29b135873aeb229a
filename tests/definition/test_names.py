"""Names: whatever a class body makes ends up in the plan once, under one public name."""

import pytest

from durable_django.definition.names import DSL_NAMES, HOOK_NAMES, RUN_NAMES
from durable_django.definition.nodes import step
from durable_django.definition.workflow import Workflow
from tests.definition.examples import Order
from tests.definition.telling import told


def body(self): ...


def test_the_name_is_the_attribute_not_the_function():
    class W(Workflow):
        charge = step(body)

    assert W.charge.name == "charge"


def test_a_name_is_used_once():
    with told('the name "charge" of a step is taken: it names the step of line'):

        class W(Workflow):
            @step
            def charge(self): ...
            @step  # here
            def charge(self): ...  # noqa: F811


def test_a_name_that_a_plain_attribute_has_is_taken():
    with told('the name "charge" of a step is taken: the class body assigns it already'):

        class W(Workflow):
            charge = 3

            @step  # here
            def charge(self): ...  # noqa: F811


def test_a_node_cannot_be_overwritten():
    with told("W.charge is the step of line", "overwritten here"):

        class W(Workflow):
            @step
            def charge(self): ...

            charge = 3  # here  # noqa: F811


def test_a_plain_def_cannot_overwrite_a_node():
    with told("W.charge is the step of line", "overwritten here"):

        class W(Workflow):
            @step
            def charge(self): ...
            def charge(self): ...  # here  # noqa: F811


def test_a_node_has_one_name():
    with told("W.pay is a second name for charge"):

        class W(Workflow):
            @step
            def charge(self): ...

            pay = charge  # here


def test_a_chained_assignment_is_two_names():
    with told("W.pay is a second name for charge"):

        class W(Workflow):
            charge = pay = step(body)  # here


def test_assigning_a_node_to_its_own_name_changes_nothing():
    class W(Workflow):
        @step
        def charge(self): ...

        charge = charge

    assert list(W.definition.nodes) == ["charge"]


def test_a_node_cannot_be_deleted():
    with told("W.charge del takes the step out of the class but not out of the plan"):

        class W(Workflow):
            @step
            def charge(self): ...

            del charge  # here


def test_a_plain_attribute_can_be_deleted():
    class W(Workflow):
        helper = 3

        @step
        def charge(self): ...

        del helper

    assert not hasattr(W, "helper")


def test_a_node_of_another_class_is_refused():
    with told("W.charge is a node of Order"):

        class W(Workflow):
            charge = Order.charge  # here


@pytest.mark.parametrize(
    "make",
    [
        lambda: [step(body)],
        lambda: {"charge": step(body)},
        lambda: (step(body), None)[1],
    ],
)
def test_a_node_without_a_name_is_told(make):
    with told("W.body: a step was made here but not assigned to a name of its own"):

        class W(Workflow):
            steps = make()  # here


def test_a_leading_underscore_is_refused():
    with told('the name "_charge" of a step begins with an underscore'):

        class W(Workflow):
            @step  # here
            def _charge(self): ...


def test_a_private_name_is_refused():
    with told('the name "_W__charge" of a step begins with an underscore'):

        class W(Workflow):
            @step  # here
            def __charge(self): ...


@pytest.mark.parametrize("name", sorted(RUN_NAMES | HOOK_NAMES | DSL_NAMES))
def test_a_reserved_name_is_no_name_for_a_node(name):
    with told(f'the name "{name}" of a step '):

        class W(Workflow):
            locals()[name] = step(body)  # here


@pytest.mark.parametrize("name", ["two words", "charge-card", "", "1st", "a" * 101])
def test_what_could_not_be_an_attribute_is_no_name(name):
    with told(f'the name "{name}" of a step is '):

        class W(Workflow):
            locals()[name] = step(body)  # here


@pytest.mark.parametrize("name", sorted(RUN_NAMES - {"_attempt"}))
def test_a_reserved_name_is_no_plain_attribute_either(name):
    with told(f"W.{name} is reserved"):

        class W(Workflow):
            @step
            def charge(self): ...

            locals()[name] = 3  # here


def test_everything_public_on_a_workflow_is_reserved():
    public = {name for name in dir(Workflow) if not name.startswith("_")}
    assert public - RUN_NAMES - HOOK_NAMES == set()


def test_what_the_contract_names_is_reserved():
    for name in ("input", "once", "aonce", "asleep_for", "acall_workflow", "answers", "item"):
        assert name in RUN_NAMES


def test_a_word_that_makes_nodes_is_a_fine_constant():
    class W(Workflow):
        from durable_django.definition.nodes import step

        loop = 3

        @step
        def charge(self): ...

    assert list(W.definition.nodes) == ["charge"]


@pytest.mark.parametrize("name", ["__init__", "__new__"])
def test_a_constructor_would_never_be_called(name):
    with told(f"W.{name} would never be called"):

        class W(Workflow):
            @step
            def charge(self): ...

            locals()[name] = body  # here


# Where a node may stand


def test_a_step_outside_a_class_is_told():
    with told("a step stands outside a class"):
        step(body)  # here


def test_a_step_in_a_class_that_is_no_workflow_is_told():
    with told("a step stands in Mixin, which is no workflow class", "extends Workflow"):

        class Mixin:
            @step  # here
            def charge(self): ...


def test_a_step_in_a_class_inside_a_workflow_is_told():
    with told("a step stands in Inner, which is no workflow class"):

        class W(Workflow):
            class Inner:
                @step  # here
                def charge(self): ...


def test_a_workflow_inside_a_workflow_has_its_own_nodes():
    class Outer(Workflow):
        @step
        def first(self): ...

        class Inner(Workflow):
            @step
            def inner(self): ...

        @step
        def second(self): ...

    assert list(Outer.definition.nodes) == ["first", "second"]
    assert list(Outer.Inner.definition.nodes) == ["inner"]


def test_a_class_body_that_raised_leaves_nothing_behind():
    with pytest.raises(ZeroDivisionError):

        class Broken(Workflow):
            @step
            def charge(self): ...

            1 / 0  # noqa: B018

    class W(Workflow):
        @step
        def pay(self): ...

    assert list(W.definition.nodes) == ["pay"]


def test_a_node_assigned_after_the_class_is_told():
    class W(Workflow):
        @step
        def charge(self): ...

    with told("W.late is set after the class was complete"):
        W.late = Order.charge  # here
    with told("W.charge is set after the class was complete"):
        W.charge = None  # here
    with told("W.charge is deleted after the class was complete"):
        del W.charge  # here
    W.rate = 3
    del W.rate
