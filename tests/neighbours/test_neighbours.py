"""Packages that live on ASGI servers do over cppasgi what they do over those they are made for.

With TEST_NEIGHBOURS=long more of Starlette's tests are run. Those that look into the application,
or at what only Starlette's own client does, fail over every real server and don't count.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.timeout(600)  # fetches everything the first time

STARLETTE = ["tests/test_staticfiles.py", "tests/test_responses.py"]
if os.environ.get("TEST_NEIGHBOURS") == "long":
    STARLETTE += ["tests/test_requests.py", "tests/test_formparsers.py", "tests/middleware"]
    STARLETTE += ["tests/test_background.py", "tests/test_exceptions.py", "tests/test_routing.py"]
LEAST_PASSED = 100

Start = Callable[..., str]


@pytest.mark.parametrize(
    ("site", "client", "rival"),
    [
        ("socketio_site", "socketio_client", "uvicorn"),
        ("eventstream_site", "eventstream_client", "daphne"),
        ("reactpy_site", "reactpy_client", "daphne"),
    ],
)
def test_a_package_does_the_same(
    start: Start, told_by: Callable[..., str], tmp_path: Path, site: str, client: str, rival: str
) -> None:
    told = {}
    for server in (rival, "cppasgi"):
        base = start(server, f"{site}:app", SITE_DB=str(tmp_path / f"{server}.db"))
        told[server] = told_by(client, base)
    assert told[rival].count("\n") > 3
    assert told["cppasgi"] == told[rival]
    log = (tmp_path / "cppasgi.log").read_text()
    assert "Traceback" not in log, log


def starlette_outcomes(
    folder: Path, environment: dict[str, str], server: str, report: Path
) -> dict[str, str]:
    """How each of Starlette's tests ends when its client speaks to a server."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "over_server", "-p", "no:cacheprovider"]
    command += ["-n", "2", "-c", os.devnull, "--rootdir", ".", "-k", "not trio"]
    command += [f"--junitxml={report}", *STARLETTE]
    result = subprocess.run(
        command,
        cwd=folder,
        env={**environment, "NEIGHBOUR_SERVER": server},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert report.exists(), result.stdout + result.stderr
    return {
        f"{case.get('classname')}::{case.get('name')}": case[0].tag if len(case) else "passed"
        for case in ElementTree.parse(report).iter("testcase")
    }


def test_starlettes_own_tests(
    sources: Callable[[str], Path], environment: dict[str, str], tmp_path: Path
) -> None:
    """Files and responses: what passes over uvicorn passes over cppasgi."""
    folder = sources("starlette")
    with ThreadPoolExecutor() as pool:  # both mostly wait
        theirs, ours = pool.map(
            lambda server: starlette_outcomes(
                folder, environment, server, tmp_path / f"{server}.xml"
            ),
            ("uvicorn", "cppasgi"),
        )
    passed = {name for name, outcome in theirs.items() if outcome == "passed"}
    assert len(passed) >= LEAST_PASSED, theirs
    assert {name: ours.get(name) for name in passed if ours.get(name) != "passed"} == {}
