"""The pages of workers: what they hold, which code they lack, which version they have."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.version import VERSION
from tests.admin.conftest import WORKERS
from tests.admin.rows import make_definition, make_run, make_worker, now


def text(response):
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def page_of(worker):
    return f"{WORKERS}{worker.pk}/change/"


def test_a_worker_tells_how_much_it_holds(viewer):
    worker = make_worker(threads=8)
    make_worker(threads=2)
    for _ in range(3):
        make_run("running", worker=worker)
    assert "3 on 8 threads" in text(viewer.get(WORKERS))
    assert "0 on 2 threads" in text(viewer.get(WORKERS))
    assert "3 on 8 threads" in text(viewer.get(page_of(worker)))


def test_a_worker_without_threads_runs_no_steps(viewer):
    worker = make_worker(threads=0, executor="django_q")
    for page in (WORKERS, page_of(worker), "/admin/durable_django/overview/"):
        shown = text(viewer.get(page))
        assert "runs no steps" in shown
        assert "on 0 threads" not in shown


def test_a_process_of_a_cluster_tells_which(viewer, settings):
    worker = make_worker(threads=1, executor="django_q", cluster="<heavy>")
    name = "django_q, cluster &lt;heavy&gt;"
    assert name in viewer.get(page_of(worker)).content.decode()
    assert name not in viewer.get(WORKERS).content.decode()  # as long as all run threads
    settings.DURABLE = {**settings.DURABLE, "EXECUTOR": "django_q"}
    assert name in viewer.get(WORKERS).content.decode()


def test_the_list_costs_the_same_for_many_workers(viewer):
    def asked():
        with CaptureQueriesContext(connection) as found:
            viewer.get(WORKERS)
        return len(found)

    make_worker()
    few = asked()
    for _ in range(10):
        make_run("running", worker=make_worker())
    assert asked() == few <= 10


@pytest.mark.parametrize(
    ("fields", "differs"),
    [({"package_version": VERSION}, False), ({"package_version": "0.0.1"}, True)],
)
def test_another_version_than_the_admins_is_told(viewer, fields, differs):
    make_worker(**fields)
    assert ("another one than here" in text(viewer.get(WORKERS))) is differs


def test_of_a_worker_that_has_stopped_the_version_does_not_matter(viewer):
    make_worker(package_version="0.0.1", status="stopped")
    assert "another one than here" not in text(viewer.get(WORKERS))


def test_code_that_a_worker_lacks_is_told(viewer):
    make_definition(name="tests.order", version=1)
    make_definition(name="tests.order", version=2)
    worker = make_worker(workflows=["tests.order v2"])
    page = text(viewer.get(page_of(worker)))
    assert "Workflows it has no code for" in page
    assert "tests.order v1" in page
    assert "tests.order v2" not in page


def test_of_a_worker_that_does_not_say_what_it_has_nothing_is_missing(viewer):
    make_definition()
    page = text(viewer.get(page_of(make_worker(workflows=[]))))
    assert "no code for" not in page


def test_what_becomes_of_an_overdue_worker_is_told(viewer):
    late = make_worker(heartbeat_at=now() - timedelta(minutes=2))
    assert "will declare it dead" in text(viewer.get(page_of(late)))
    assert "will declare it dead" not in text(viewer.get(page_of(make_worker())))


def test_workers_are_filtered_by_status(viewer):
    make_worker(hostname="oak")
    make_worker(hostname="elm", status="stopped")
    page = text(viewer.get(f"{WORKERS}?status=stopped"))
    assert "elm" in page
    assert "oak" not in page
    assert viewer.get(f"{WORKERS}?status=asleep")["Location"] == f"{WORKERS}?e=1"
