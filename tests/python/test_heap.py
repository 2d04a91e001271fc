"""The heap keeps freed memory, so that large messages don't cost page faults again and again."""

from __future__ import annotations

import pytest
from conftest import StartServer
from websockets.sync.client import connect

MESSAGE = bytes(1_000_000)
PAGES = len(MESSAGE) // 4096
ECHOES = 20


@pytest.mark.parametrize("trimming", [False, True], ids=["kept", "as the user wants"])
def test_large_messages_take_their_pages_once(server: StartServer, trimming: bool) -> None:
    process = server("apps.probe:app", env={"MALLOC_TRIM_THRESHOLD_": "131072"} if trimming else {})
    if process.is_sanitized():
        pytest.skip("AddressSanitizer has a heap of its own")
    with connect(process.ws_url + "/echo", max_size=None, compression=None) as client:

        def echo(times: int) -> None:
            for _ in range(times):
                client.send(MESSAGE)
                assert client.recv() == MESSAGE

        echo(5)
        before = process.page_faults()
        echo(ECHOES)
        each = (process.page_faults() - before) / ECHOES
    print(f"{each:.0f} page faults for each message")
    assert (each > PAGES / 2) == trimming
