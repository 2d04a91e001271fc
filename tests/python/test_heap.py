"""The heap: freed blocks are kept for the next message."""

from __future__ import annotations

import pytest
from conftest import StartServer
from websockets.sync.client import connect

ECHOES = 20
LARGEST = 1 << 24


@pytest.mark.parametrize(
    ("size", "environment", "kept"),
    [
        pytest.param(1_000_000, {}, True, id="1 MB"),
        pytest.param(LARGEST, {}, True, id="16 MiB"),
        pytest.param(1_000_000, {"MALLOC_TRIM_THRESHOLD_": "131072"}, False, id="as the user says"),
    ],
)
def test_large_messages_take_their_pages_once(
    server: StartServer, size: int, environment: dict[str, str], kept: bool
) -> None:
    flags = (f"--websocket-max-{what}-size={LARGEST}" for what in ("message", "frame"))
    process = server("apps.probe:app", *flags, env=environment)
    if process.is_sanitized():
        pytest.skip("AddressSanitizer has a heap of its own")
    message = bytes(size)
    with connect(process.ws_url + "/echo", max_size=None, compression=None) as client:

        def echo(times: int) -> None:
            for _ in range(times):
                client.send(message)
                assert client.recv() == message

        echo(5)
        before = process.page_faults()
        echo(ECHOES)
        each = (process.page_faults() - before) / ECHOES
    print(f"{each:.0f} page faults for each message")
    assert (each < size / 4096 / 2) == kept
