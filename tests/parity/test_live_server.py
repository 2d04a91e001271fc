"""Channels' `ChannelsLiveServerTestCase` on cppasgi, with a browser and a WebSocket.

Once with Daphne's import names from `daphne_shim`, once with Daphne installed and
`ProtocolServerProcess` set; under both start methods of `multiprocessing`. Needs Debian's chromium
and chromium-driver.
"""

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from django_site import write_site

SHIM = Path(__file__).resolve().parents[2] / "python" / "daphne_shim"

TESTS = """
import multiprocessing
import os
import tempfile

from channels.testing import ChannelsLiveServerTestCase
from django.contrib.contenttypes.models import ContentType
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

multiprocessing.set_start_method(os.environ["START_METHOD"], force=True)

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update"
)


class LiveTests(ChannelsLiveServerTestCase):
    if os.environ["SERVER_PROCESS"] == "set":
        from cppasgi.testing import ServerProcess as ProtocolServerProcess

    def test_page_static_file_and_websocket(self):
        from cppasgi.testing import ServerProcess
        assert isinstance(self._server_process, ServerProcess)
        options = webdriver.ChromeOptions()
        options.binary_location = os.environ["CHROMIUM"]
        for flag in FLAGS.split():
            options.add_argument(flag)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            options.add_argument(f"--user-data-dir={profile}")
            service = webdriver.ChromeService(os.environ["CHROMEDRIVER"])
            driver = webdriver.Chrome(options=options, service=service)
            try:
                driver.get(self.live_server_url)
                rows = driver.find_element(By.ID, "rows").text
                self.assertEqual(int(rows), ContentType.objects.count())  # the same database
                said = driver.find_element(By.ID, "said")
                WebDriverWait(driver, 20).until(lambda _: said.text)
                self.assertEqual(said.text, "hello back")
            finally:
                driver.quit()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_site(tmp_path, {"tests.py": TESTS})


def release(name: str) -> tuple[int, int]:
    major, minor = version(name).split(".")[:2]
    return int(major), int(minor)


@pytest.fixture
def able_channels(start_method: str) -> None:
    """Skips what older Channels can't do with Daphne either; scripts/versions has such."""
    if release("channels") >= (4, 3):
        return
    if release("django") >= (5, 2):
        pytest.skip("ChannelsLiveServerTestCase works with Django 5.2 from Channels 4.3 on")
    if start_method == "spawn":
        pytest.skip("a spawned server gets the test database from Channels 4.3 on")


@pytest.mark.usefixtures("able_channels")
@pytest.mark.parametrize("start_method", ["fork", "spawn"])
@pytest.mark.parametrize("server_process", ["of the shim", "set"])
@pytest.mark.timeout(300)  # fetches Daphne the first time
def test_channels_live_server(
    project: Path, daphne_site: Path, start_method: str, server_process: str
) -> None:
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium is not None
    assert chromedriver is not None
    path = daphne_site if server_process == "set" else SHIM
    environment = {
        **os.environ,
        "CHROMIUM": chromium,
        "CHROMEDRIVER": chromedriver,
        "DJANGO_SETTINGS_MODULE": "site_under_test.settings",
        "PYTHONPATH": str(path),
        "SERVER_PROCESS": server_process,
        "START_METHOD": start_method,
    }
    command = [sys.executable, "-m", "django", "test", "--pythonpath", "."]
    result = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Ran 1 test" in result.stderr
