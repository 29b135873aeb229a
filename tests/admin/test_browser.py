"""Runs cancelled for real: a browser, the pages as they are served, a strict policy.

Needs Chromium and its driver (Debian: chromium, chromium-driver).
"""

import shutil

import pytest
from django.test import Client
from pytest_django.live_server_helper import LiveServer
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from durable_django import start
from durable_django.models import Execution
from example_project.shop.workflows import ProcessOrder
from tests.admin.conftest import LIST, cancel_of, page_of
from tests.admin.rows import make_fork, make_run, make_step

pytestmark = pytest.mark.browser

EVIL = "</script><script>window.pwned = true</script><img src=x onerror='window.pwned = true'>"
NARROW = {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": True}


@pytest.fixture
def server(transactional_db, settings):
    settings.MIDDLEWARE = ["tests.admin.strict_policy.strict_policy", *settings.MIDDLEWARE]
    settings.ALLOWED_HOSTS = ["localhost"]
    running = LiveServer("localhost")
    yield running
    running.stop()


@pytest.fixture
def driver(server, admin_user):
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument("--window-size=1280,900")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    running = webdriver.Chrome(options=options, service=service)
    client = Client()
    client.force_login(admin_user)
    running.get(f"{server.url}/admin/login/")
    running.add_cookie({"name": "sessionid", "value": client.cookies["sessionid"].value})
    yield running
    violations = [line for line in running.get_log("browser") if "Policy" in line["message"]]
    running.quit()
    assert violations == []


def wait_for(driver, selector):
    """The first element once it is there."""
    found = WebDriverWait(driver, 20).until(lambda d: d.find_elements(By.CSS_SELECTOR, selector))
    return found[0]


def wait_until_says(driver, selector, text):
    """Until the page, which may just be giving way to the next one, says so there."""
    waiting = WebDriverWait(driver, 20, ignored_exceptions=[StaleElementReferenceException])
    waiting.until(
        lambda d: any(text in found.text for found in d.find_elements(By.CSS_SELECTOR, selector))
    )


def test_a_run_is_cancelled_with_the_keyboard_alone(driver, server):
    run = start(ProcessOrder, {"order": 1}, tags=["vip"])
    driver.get(f"{server.url}{LIST}")
    wait_for(driver, "#result_list th a").send_keys(Keys.ENTER)
    wait_for(driver, ".durable-cancel").send_keys(Keys.ENTER)
    wait_for(driver, "textarea[name=reason]")
    driver.switch_to.active_element.send_keys("Ordered twice", Keys.TAB)
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    wait_until_says(driver, ".messagelist .success", "was cancelled")
    head = wait_for(driver, ".durable-lead").text
    assert "cancelled" in head
    assert "Ordered twice" in head
    assert Execution.objects.get().status == "cancelled"
    assert driver.find_elements(By.CSS_SELECTOR, ".durable-cancel") == []
    assert driver.current_url == f"{server.url}{page_of(run)}"


def test_several_runs_are_cancelled_from_the_list(driver, server):
    for _ in range(3):
        start(ProcessOrder, {"order": 1})
    driver.get(f"{server.url}{LIST}?status=pending")
    wait_for(driver, "#result_list")
    for box in driver.find_elements(By.CSS_SELECTOR, "input.action-select")[:2]:
        box.click()
    Select(wait_for(driver, "select[name=action]")).select_by_value("cancel_selected")
    wait_for(driver, ".actions button[type=submit]").click()
    wait_until_says(driver, "#content h1", "Cancel 2 executions")
    wait_for(driver, "textarea[name=reason]").send_keys("A test")
    wait_for(driver, ".submit-row input[type=submit]").click()
    wait_until_says(driver, ".messagelist .success", "2 executions were cancelled")
    assert driver.current_url == f"{server.url}{LIST}?status=pending"
    assert sorted(Execution.objects.values_list("status", flat=True)) == [
        "cancelled",
        "cancelled",
        "pending",
    ]


def test_what_runs_hold_is_never_executed(driver, server):
    run = make_run(
        "running", workflow_name=EVIL, input={EVIL: EVIL}, context={EVIL: EVIL}, tags=[EVIL]
    )
    make_step(run, EVIL, "failed", logs=[EVIL], error={"type": EVIL, "message": EVIL})
    for address in (LIST, page_of(run), cancel_of(run)):
        driver.get(f"{server.url}{address}")
        wait_for(driver, "#content")
        assert driver.execute_script("return window.pwned === undefined")


def test_a_member_is_reached_with_the_keyboard_and_says_what_it_did(driver, server):
    run = make_run("running")
    strand = make_fork(run, ["completed"] * 59 + ["failed"])[59]
    make_step(strand, "send", "failed", path=f"{strand.path}/send", logs=["dialling"])
    driver.get(f"{server.url}{page_of(run)}")
    member = f'[id="member-{strand.pk}"]'
    wait_for(driver, f"{member} summary").send_keys(Keys.ENTER)
    wait_for(driver, f"{member} details[open] .durable-logs summary").send_keys(Keys.SPACE)
    assert "dialling" in wait_for(driver, member).text
    wait_for(driver, ".durable-choices a[href*='status=completed']").send_keys(Keys.ENTER)
    wait_until_says(driver, ".durable-pages", "Members 1 to 50 of 59.")
    wait_for(driver, ".durable-pages a").send_keys(Keys.ENTER)
    wait_until_says(driver, ".durable-pages", "Members 51 to 59 of 59.")
    assert driver.find_elements(By.CSS_SELECTOR, member) == []


def test_no_page_is_wider_than_a_telephone(driver, server):
    run = make_run(
        "failed",
        workflow_name="a" * 120,
        input={"word": "b" * 300},
        context={"key" * 30: ["c" * 100]},
        error={"type": "E" * 90, "message": "m" * 300, "traceback": "t" * 300, "node": "n" * 90},
    )
    make_step(run, "d" * 120, "failed", logs=["e" * 300], changes=[("set", "f" * 90, 1)])
    active = make_run()
    forked = make_run("running", workflow_name="a" * 120)
    row = forked
    for depth in range(3):
        texts = {"input_text": f'"{"g" * 300}"', "result_text": f'["{"h" * 300}"]'}
        at = {"path": f"{row.path or depth}{'/' if depth else ''}{'i' * 60}", "seq": 2}
        row = make_fork(row, ["completed"] * (60 if depth == 0 else 2), **at, **texts)[0]
        make_step(row, "d" * 120, "failed", logs=["e" * 300], path=f"{row.path}/{'d' * 120}")
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", NARROW)
    for address in (page_of(run), page_of(forked), page_of(row), cancel_of(active), LIST):
        driver.get(f"{server.url}{address}")
        wait_for(driver, "#content")
        for fold in driver.find_elements(By.TAG_NAME, "details"):
            driver.execute_script("arguments[0].open = true", fold)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 400, address
