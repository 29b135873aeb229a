"""Nothing can be edited by hand, and nobody sees anything without Django's permission."""

import pytest

from durable_django.models import Execution
from tests.admin.conftest import DEFINITIONS, LIST, WORKERS, page_of
from tests.admin.rows import make_definition, make_run, make_worker

EVERY_LIST = [LIST, DEFINITIONS, WORKERS]


def every_page():
    run, definition, worker = make_run(), make_definition(), make_worker()
    return {
        "view_execution": [LIST, page_of(run), f"{LIST}{run.pk}/history/"],
        "view_workflowdefinition": [DEFINITIONS, f"{DEFINITIONS}{definition.pk}/change/"],
        "view_worker": [WORKERS, f"{WORKERS}{worker.pk}/change/"],
    }


@pytest.mark.parametrize("codename", ["view_execution", "view_workflowdefinition", "view_worker"])
def test_each_page_opens_with_its_own_permission_only(staff, codename):
    client = staff(codename)
    for needed, addresses in every_page().items():
        for address in addresses:
            expected = 200 if needed == codename else 403
            assert client.get(address).status_code == expected, address


def test_even_a_superuser_cannot_add_change_or_delete(admin_client):
    for address in (address for pages in every_page().values() for address in pages):
        page = admin_client.get(address).content.decode()
        assert f"{address}add/" not in page
        assert "deletelink" not in page
        assert 'name="_save"' not in page
        if address.endswith("/change/"):
            assert admin_client.post(address, {"status": "completed"}).status_code == 403
            assert admin_client.post(address.replace("change", "delete")).status_code == 403
    for address in EVERY_LIST:
        assert admin_client.post(f"{address}add/").status_code == 403
    assert Execution.objects.get().status == "pending"


def test_deleting_a_selection_is_not_offered(admin_client):
    run = make_run()
    chosen = {"action": "delete_selected", "_selected_action": [run.pk], "post": "yes"}
    admin_client.post(LIST, chosen)
    assert Execution.objects.count() == 1


def test_the_index_names_the_app_and_its_lists(admin_client):
    page = admin_client.get("/admin/durable_django/").content.decode()
    for said in ("Durable workflows", "Executions", "Workflow definitions", "Workers"):
        assert said in page
