"""The front page in headless Chromium: alice and bob in two windows, as a visitor would use it."""

import shutil

import pytest

selenium = pytest.importorskip("selenium.webdriver")
from selenium.common.exceptions import StaleElementReferenceException  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

pytestmark = pytest.mark.timeout(180)  # two browsers on a busy machine

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-dev-shm-usage "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--window-size=1180,760"
)
WAIT = 20  # seconds for what must appear


class Window:
    """One person's browser window."""

    def __init__(self, driver, site):
        self.driver = driver
        self.site = site

    def log_in(self, name):
        self.driver.get(self.site.base)
        self.wait_for("#login-form")
        self.one("[name=username]").send_keys(name)
        self.one("[name=password]").send_keys("demo-pass", Keys.ENTER)
        self.until(lambda: self.text("#link-state") == "Connected")

    def open_conversation(self, name):
        self.click(f"[data-username={name}]")
        self.wait_for("#composer")

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.driver.execute_script(
            "return document.querySelector(arguments[0])?.innerText ?? ''", selector
        )

    def has(self, selector):
        return bool(self.all(selector))

    def until(self, condition):
        """Wait for a condition; an element that the page replaces meanwhile is looked for again."""
        wait = WebDriverWait(self.driver, WAIT, 0.1, [StaleElementReferenceException])
        return wait.until(lambda _: condition())

    def wait_for(self, selector):
        return self.until(lambda: next((e for e in self.all(selector) if e.is_displayed()), None))

    def click(self, selector):
        self.until(lambda: self.wait_for(selector).click() or True)

    def page_errors(self):
        log = self.driver.get_log("browser")
        return [entry for entry in log if entry["level"] == "SEVERE"]


@pytest.fixture
def open_window(site, tmp_path):
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("chromium or chromedriver is not installed")
    drivers = []

    def open_one():
        options = selenium.ChromeOptions()
        options.binary_location = chromium
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        profile = tmp_path / f"profile{len(drivers)}"
        for flag in (*FLAGS.split(), f"--user-data-dir={profile}"):
            options.add_argument(flag)
        service = selenium.ChromeService(executable_path=chromedriver)
        drivers.append(selenium.Chrome(options=options, service=service))
        return Window(drivers[-1], site)

    yield open_one
    for driver in drivers:
        driver.quit()


def test_two_people_talk(open_window, api):
    """V4, M15."""
    alice, bob = open_window(), open_window()
    alice.log_in("alice")
    alice.wait_for("[data-username=bob] .presence:not(.online)")
    bob.log_in("bob")
    alice.wait_for("[data-username=bob] .presence.online")
    bob.wait_for("[data-username=alice] .presence.online")

    # A message to somebody who looks elsewhere: sent, counted as unread.
    alice.open_conversation("bob")
    alice.one("#content").send_keys("Hello Bob, is the flat free in May?", Keys.ENTER)
    alice.wait_for(".message.mine:not(.read)")
    bob.until(lambda: bob.text("[data-username=alice] .count") not in ("", "0"))

    # He opens the conversation: read marks on her side, no unread count on his.
    bob.open_conversation("alice")
    bob.until(lambda: "is the flat free in May?" in bob.text("#messages"))
    alice.until(lambda: not alice.has(".message.mine:not(.read)"))
    assert alice.has(".message.mine.read .ticks")
    bob.until(lambda: not bob.has("[data-username=alice] .count"))

    # Meanwhile somebody else writes to her for the first time.
    thread = api("carol").post("threads/", {"username": "alice"}).json()["id"]
    api("carol").post(f"threads/{thread}/messages/", {"content": "Hi, it is Carol"})
    alice.until(lambda: alice.text("[data-username=carol] .count") == "1")

    # He types: she sees it, in the conversation and in the list, until he sends.
    bob.one("#content").send_keys("It is, from the ")
    alice.wait_for("#typing.shown")
    assert alice.text("#typing") == "Bob Baker is typing"
    assert alice.text("[data-username=bob] small") == "typing…"
    assert not bob.has("#typing.shown")
    bob.one("#content").send_keys("third <b>on</b>.", Keys.ENTER)
    alice.until(lambda: "It is, from the third <b>on</b>." in alice.text("#messages"))
    alice.until(lambda: not alice.has("#typing.shown"))
    bob.until(lambda: not bob.has(".message.mine:not(.read)"))

    # A reload keeps the login and the history; leaving turns the dot grey.
    alice.driver.refresh()
    alice.open_conversation("bob")
    alice.until(lambda: "It is, from the third <b>on</b>." in alice.text("#messages"))
    alice.one("#logout").click()
    alice.wait_for("#login-form")
    bob.wait_for("[data-username=alice] .presence:not(.online)")
    assert alice.page_errors() == []
    assert bob.page_errors() == []


def test_notification_shows_and_can_be_marked_read(open_window, site, api):
    """M6, M11."""
    alice, mod = open_window(), open_window()
    alice.log_in("alice")
    mod.log_in("mod")
    assert not alice.one("#announce").is_displayed()
    unread = len(api("alice").get("notifications/").json()["results"])
    mod.click("#announce")
    mod.wait_for("#announce-form [name=title]").send_keys("Lift out of order")
    mod.one("#announce-form [name=message]").send_keys("Until Friday, sorry.")
    mod.one("#announce-form [name=priority]").send_keys("urgent")
    mod.one("#announce-form .primary").click()

    toast = alice.wait_for(".toast.urgent")
    assert "Lift out of order" in toast.text
    alice.until(lambda: alice.text("#bell-count") == str(unread + 1))
    alice.one("#bell").click()
    alice.click(".notice.urgent")
    alice.until(lambda: alice.text("#bell-count") == (str(unread) if unread else "0"))
    assert alice.page_errors() == []


def test_wrong_password_is_told(open_window, site):
    """C5."""
    window = open_window()
    window.driver.get(site.base)
    window.wait_for("#login-form")
    window.one("[name=username]").send_keys("alice")
    window.one("[name=password]").send_keys("wrong", Keys.ENTER)
    window.until(lambda: window.text("#login-error") == "Wrong user name or password.")
