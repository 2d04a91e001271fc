"""One person's browser: headless Chromium, steered by Debian's chromedriver."""

import shutil
from pathlib import Path

import pytest

selenium = pytest.importorskip("selenium.webdriver")
from selenium.common.exceptions import StaleElementReferenceException  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-dev-shm-usage "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--ignore-certificate-errors --window-size=1180,760 "
    # A camera that isn't there, and addresses that two processes here can reach each other at.
    "--use-fake-device-for-media-stream --use-fake-ui-for-media-stream "
    "--disable-features=WebRtcHideLocalIpsWithMdns"
)
WAIT = 20  # seconds for what must appear
SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"


class Window:
    def __init__(self, folder):
        chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
        if not chromium or not chromedriver:
            pytest.skip("chromium or chromedriver is not installed")
        options = selenium.ChromeOptions()
        options.binary_location = chromium
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        for flag in (*FLAGS.split(), f"--user-data-dir={folder}"):
            options.add_argument(flag)
        service = selenium.ChromeService(executable_path=chromedriver)
        self.driver = selenium.Chrome(options=options, service=service)

    def close(self):
        self.driver.quit()

    def open(self, url):
        """Show a page as somebody who was never here."""
        self.driver.get("about:blank")  # the page before must not miss its cookies
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.driver.get(url)

    def log_in(self, url, name):
        self.open(url)
        self.wait_for("#login-form")
        self.one("[name=username]").send_keys(name)
        self.one("[name=password]").send_keys("demo-pass", Keys.ENTER)
        self.until(lambda: not self.one("#login").is_displayed())

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        script = "return document.querySelector(arguments[0])?.innerText ?? ''"
        return self.driver.execute_script(script, selector)

    def run(self, script):
        return self.driver.execute_script(f"return {script}")

    def until(self, condition):
        """Wait for a condition; an element that the page replaces meanwhile is looked for again."""
        wait = WebDriverWait(self.driver, WAIT, 0.1, [StaleElementReferenceException])
        return wait.until(lambda _: condition())

    def until_text(self, selector, part):
        self.until(lambda: part in self.text(selector))

    def wait_for(self, selector):
        return self.until(lambda: next((e for e in self.all(selector) if e.is_displayed()), None))

    def click(self, selector):
        self.until(lambda: self.wait_for(selector).click() or True)

    def write(self, selector, text):
        """Fill a field in and press Enter."""
        self.wait_for(selector).send_keys(text, Keys.ENTER)

    def photograph(self, name, width=1180, height=760):
        """Keep a picture of the page as build/screenshots/<name>.png."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.set_window_size(width, height)
        self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))
        if (width, height) != (1180, 760):
            self.driver.set_window_size(1180, 760)

    def errors(self):
        """Return what the console says was wrong, but for the question whether one is logged in."""
        log = self.driver.get_log("browser")
        severe = [entry["message"] for entry in log if entry["level"] == "SEVERE"]
        return [message for message in severe if " 401 " not in message]
