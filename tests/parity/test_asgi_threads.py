"""ASGI_THREADS: the size of the thread pool, on Daphne and on cppasgi."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from server_process import ServerProcess


@pytest.mark.parametrize("threads", [1, 3, None])
@pytest.mark.parametrize("which", ["daphne", "cppasgi"])
def test_size_of_the_thread_pool(
    daphne_site: Path, server_command: list[str], tmp_path: Path, which: str, threads: int | None
) -> None:
    command, environment = server_command, {}
    if which == "daphne":
        command, environment = [sys.executable, "-m", "daphne"], {"PYTHONPATH": str(daphne_site)}
    if threads is not None:
        environment["ASGI_THREADS"] = str(threads)
    process = ServerProcess(command, "apps.thread_pool:app", ("-p", "0"), tmp_path, environment)
    try:
        process.wait_until_listening()
        # Without it asyncio takes four threads more than there are processors.
        assert process.get("/").text == str(threads or 5)
    finally:
        process.kill()


@pytest.mark.parametrize("value", ["", "0", "-1", "many", "1.5"])
def test_wrong_value_is_one_line_and_status_2(server_command: list[str], value: str) -> None:
    result = subprocess.run(
        [*server_command, "-p", "0", "apps.thread_pool:app"],
        env={**os.environ, "ASGI_THREADS": value},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    last = result.stderr.splitlines()[-1]
    assert last == f"cppasgi: error: ASGI_THREADS must be a number from 1 on: {value!r}"
