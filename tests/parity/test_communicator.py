"""`WebsocketCommunicator` with Daphne's import names from `daphne_shim`, and without Twisted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from django_site import write_site

SHIM = Path(__file__).resolve().parents[2] / "python" / "daphne_shim"

COMMUNICATOR = """
import asyncio, sys
sys.modules["twisted"] = None  # whatever imports it fails
import django
django.setup()
from channels.testing import WebsocketCommunicator
from site_under_test.asgi import application

async def talk():
    communicator = WebsocketCommunicator(application, "/ws/")
    assert (await communicator.connect())[0]
    await communicator.send_to(text_data="hello")
    print(await communicator.receive_from())
    await communicator.disconnect()

asyncio.run(talk())
"""


def test_channels_testing_with_the_shim_needs_no_twisted(tmp_path: Path) -> None:
    more = {"DJANGO_SETTINGS_MODULE": "site_under_test.settings", "PYTHONPATH": str(SHIM)}
    result = subprocess.run(
        [sys.executable, "-c", COMMUNICATOR],
        cwd=write_site(tmp_path),
        env={**os.environ, **more},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "hello back\n"
