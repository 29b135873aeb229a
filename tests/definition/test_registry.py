"""The registry: names, versions, and two classes that want the same."""

import pytest
from django.apps import apps

from durable_django.definition import registry
from durable_django.definition.nodes import step
from durable_django.definition.workflow import Workflow
from durable_django.exceptions import DefinitionError, WorkflowNotFound
from tests.definition.telling import told


def body(self): ...


def made(name="order", version=1, qualname=None, **meta):
    """A workflow class; `qualname` makes it look like another class of this module."""

    class W(Workflow):
        __qualname__ = qualname or f"made.{name}.{version}"
        Meta = type("Meta", (), {"name": name, "version": version, **meta})
        charge = step(body)

    return W


def test_a_class_is_found_by_its_name():
    workflow = made()
    assert registry.get("order") is workflow
    assert workflow in registry.all()


def test_without_a_version_the_highest_is_found():
    first, tenth, second = made(version=1), made(version=10), made(version=2)
    assert registry.get("order") is tenth
    assert registry.get("order", 1) is first
    assert registry.get("order", 2) is second


def test_all_are_listed_by_name_and_version():
    with registry.isolate():
        b, a2, a1 = made("b"), made("a", 2), made("a", 1)
        known = [w for w in registry.all() if w in (a1, a2, b)]
    assert known == [a1, a2, b]


def test_an_unknown_name_is_told_with_what_was_meant_and_what_there_is():
    made("assemble_bicycle")
    with pytest.raises(WorkflowNotFound, match='did you mean "assemble_bicycle"') as caught:
        registry.get("asemble_bicycle")
    assert "registered: " in str(caught.value)


def test_an_unknown_version_is_told_with_those_there_are():
    made(version=1)
    made(version=3)
    with pytest.raises(WorkflowNotFound, match=r'"order" has no version 2 \(registered: 1, 3\)'):
        registry.get("order", 2)


def test_an_empty_registry_asks_for_the_app(monkeypatch):
    monkeypatch.setattr(registry, "_classes", {})
    with pytest.raises(WorkflowNotFound, match="INSTALLED_APPS"):
        registry.get("order")


def test_two_classes_with_one_name_and_version_are_told():
    made(qualname="First")
    with told('Second: "order" version 1 is ', ".First already", "Meta.name or Meta.version"):

        class W(Workflow):  # here
            __qualname__ = "Second"
            Meta = type("Meta", (), {"name": "order"})
            charge = step(body)


def test_the_second_of_two_is_not_registered():
    first = made(qualname="First")
    with pytest.raises(DefinitionError):
        made(qualname="Second")
    assert registry.get("order") is first


def test_the_same_class_again_takes_its_own_place():
    made(qualname="Order")
    again = made(qualname="Order")
    assert registry.get("order") is again
    assert registry.all().count(again) == 1


def test_an_abstract_class_is_not_registered():
    made("nothing", abstract=True)
    with pytest.raises(WorkflowNotFound):
        registry.get("nothing")


def test_what_is_registered_in_isolation_is_forgotten():
    before = registry.all()
    with registry.isolate():
        made("short_lived")
        assert registry.get("short_lived")
    assert registry.all() == before


def test_isolation_ends_also_after_an_error():
    before = registry.all()

    def fail():
        with registry.isolate():
            made("short_lived")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert registry.all() == before


def test_isolation_restores_a_version_that_was_replaced():
    first = made(qualname="Order")
    with registry.isolate():
        made(qualname="Order")
        made(version=2)
    assert registry.get("order") is first


def test_a_class_or_a_name_is_resolved():
    workflow = made()
    assert registry.resolve("order") is workflow
    assert registry.resolve(workflow) is workflow


def test_an_older_version_given_as_a_class_stays_that_version():
    first = made(version=1)
    made(version=2)
    assert registry.resolve(first) is first


def test_a_class_that_was_replaced_resolves_to_the_one_that_took_its_place():
    old = made(qualname="Order")
    new = made(qualname="Order")
    assert registry.resolve(old) is new


def test_a_class_that_is_registered_no_longer_is_not_found():
    with registry.isolate():
        workflow = made("short_lived")
    with pytest.raises(WorkflowNotFound):
        registry.resolve(workflow)


def test_an_abstract_class_cannot_be_resolved():
    with pytest.raises(WorkflowNotFound, match="is abstract"):
        registry.resolve(made(abstract=True))
    with pytest.raises(WorkflowNotFound, match="is abstract"):
        registry.resolve(Workflow)


@pytest.mark.parametrize("thing", [None, 3, int, object(), ["order"]])
def test_what_is_no_workflow_cannot_be_resolved(thing):
    with pytest.raises(TypeError, match="a Workflow class or a registered name"):
        registry.resolve(thing)


def test_a_run_is_no_workflow():
    with pytest.raises(TypeError):
        registry.resolve(made()._for_attempt(None))


# The default name


@pytest.mark.parametrize(
    ("module", "label"),
    [
        ("nowhere.workflows", "nowhere"),
        ("a.nowhere.workflows", "nowhere"),
        ("a.nowhere.workflows.orders", "nowhere"),
        ("a.nowhere.things", "nowhere"),
        ("nowhere", "nowhere"),
        ("workflows", "workflows"),
        ("__main__", "__main__"),
    ],
)
def test_outside_any_app_the_package_gives_the_label(module, label):
    assert registry.default_name(module, "Order") == f"{label}.Order"


class _Config:
    def __init__(self, name, label):
        self.name = name
        self.label = label


@pytest.mark.parametrize(
    ("module", "label"),
    [
        ("site.shop.workflows", "till"),
        ("site.shop.deep.down", "till"),
        ("site.shop", "till"),
        ("site.shop.extra.workflows", "extras"),
        ("site.shopping.workflows", "shopping"),
        ("site.workflows", "site"),
    ],
)
def test_inside_an_app_the_longest_match_gives_the_label(monkeypatch, module, label):
    configs = {
        "site": _Config("site", "site"),
        "till": _Config("site.shop", "till"),
        "extras": _Config("site.shop.extra", "extras"),
    }
    monkeypatch.setattr(apps, "app_configs", configs)
    expected = {"shopping": "site"}.get(label, label)
    assert registry.default_name(module, "Order") == f"{expected}.Order"


def test_the_default_name_is_that_of_the_app_and_the_class():
    class ProcessOrder(Workflow):
        charge = step(body)

    assert ProcessOrder.definition.name == "definition.ProcessOrder"
