"""Memory: freed blocks are kept for the next message, and garbage is collected less often."""

from __future__ import annotations

from pathlib import Path

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


def test_garbage_is_collected_less_often(server: StartServer) -> None:
    assert server("apps.collector:app").get("/").text == "5000"


def test_what_the_server_loaded_is_not_collected_again(server: StartServer) -> None:
    assert int(server("apps.collector:app").get("/frozen").text) > 10_000


def test_collector_of_the_application_is_left_alone(server: StartServer) -> None:
    process = server("apps.collector:app", env={"COLLECTOR_THRESHOLD": "1234"})
    assert process.get("/").text == "1234"


def test_collector_that_is_off_stays_off(server: StartServer, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import gc; gc.set_threshold(0)\n")
    process = server("apps.collector:app", env={"PYTHONPATH": str(tmp_path)})
    assert process.get("/").text == "0"
