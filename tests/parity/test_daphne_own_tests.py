"""Daphne 4.2.3's own black-box tests, unchanged, on cppasgi through `daphne_shim`.

Not run, as they are about Twisted's objects only:

- test_http_protocol.py: calls Twisted's `WebRequest` with a mock channel;
- test_packaging.py: looks for a plugin file of Twisted;
- test_cli.py, TestASGIThreads: looks into `daphne.server.twisted_loop`, Twisted's loop;
- test_websocket.py, test_application_checker_handles_asyncio_cancellederror: its application stops
  Twisted's reactor.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHIM = Path(__file__).resolve().parents[2] / "python" / "daphne_shim"

TESTS = {  # file: how many pass
    "test_checks.py": 1,
    "test_cli.py": 14,
    "test_http_request.py": 15,
    "test_http_response.py": 9,
    "test_utils.py": 12,
    "test_websocket.py": 15,
}
EXCLUDED = (
    "test_cli.py::TestASGIThreads",
    "test_websocket.py::TestWebsocket::test_application_checker_handles_asyncio_cancellederror",
)


@pytest.mark.parametrize("file", TESTS)
@pytest.mark.timeout(300)  # fetches Daphne the first time
def test_daphne_own_tests_pass(daphne_tests: Path, daphne_site: Path, file: str) -> None:
    path = str(SHIM)
    if file == "test_utils.py":  # makes its headers with Twisted's class
        path += os.pathsep + str(daphne_site)
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", ".", file]
    command += ["-p", "no:cacheprovider", "-W", "ignore"]
    for name in EXCLUDED:
        command += ["--deselect", name]
    environment = {**os.environ, "PYTHONPATH": path}
    environment.pop("ASGI_THREADS", None)
    result = subprocess.run(
        command, cwd=daphne_tests, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"\n{TESTS[file]} passed" in result.stdout
