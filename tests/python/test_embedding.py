"""A program that awaits `Server.serve()` in a loop of its own, and the signals that stop it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.python_side, pytest.mark.timeout(60)]

PROGRAM = """
import asyncio, cppasgi

async def application(scope, receive, send):
    assert scope["type"] == "lifespan"
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    print("lifespan shutdown", flush=True)
    await send({"type": "lifespan.shutdown.complete"})

async def main():
    server = cppasgi.Server(
        application, port=0, ready_callable=lambda: print("ready", flush=True)
    )
    try:
        await server.serve(ARGUMENTS)
    finally:
        print("the program goes on", flush=True)

asyncio.run(main())
"""


def output_until_end(folder: Path, arguments: str, signum: signal.Signals) -> tuple[list[str], int]:
    """What the program prints once it serves and gets the signal, and its status."""
    program = folder / "program.py"
    program.write_text(PROGRAM.replace("ARGUMENTS", arguments))
    with subprocess.Popen(
        [sys.executable, program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signum)
        output = process.stdout.read().splitlines()
    return output, process.returncode


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_program_may_leave_its_signals_to_serve(tmp_path: Path, signum: signal.Signals) -> None:
    output, status = output_until_end(tmp_path, "signal_handlers=True", signum)
    assert output == ["lifespan shutdown", "the program goes on"]
    assert status == 0


def test_without_that_sigint_cancels_it_as_asyncio_has_it(tmp_path: Path) -> None:
    output, _ = output_until_end(tmp_path, "", signal.SIGINT)
    assert output == ["lifespan shutdown", "the program goes on"]


def test_without_that_sigterm_is_the_programs_own(tmp_path: Path) -> None:
    assert output_until_end(tmp_path, "", signal.SIGTERM) == ([], -signal.SIGTERM)
