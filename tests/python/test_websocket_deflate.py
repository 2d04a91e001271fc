"""permessage-deflate (RFC 7692) as clients see it: negotiation, messages both ways, bombs."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import StartServer
from server_process import ServerProcess
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import ClientConnection, connect
from wire import BINARY, TEXT, Wire

MIB = 1 << 20
RSV1 = 4
COMPRESSED = RSV1 << 4
NO_TAKEOVER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
SENTENCE = "All work and no play makes Jack a dull boy. ä€😀 "


@pytest.fixture(scope="module", params=["shared", "dedicated"])
def process(
    request: pytest.FixtureRequest,
    server_command: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ServerProcess]:
    """A server in either mode, which the tests of this file share."""
    folder = tmp_path_factory.mktemp("deflate")
    flags = ["-p", "0", "--ws-deflate", request.param]
    process = ServerProcess(server_command, "apps.probe:app", flags, folder).wait_until_listening()
    yield process
    assert process.is_running(), process.log()[-3000:]
    process.kill()


def client(
    process: ServerProcess, target: str = "/echo/any", **parameters: Any
) -> ClientConnection:
    """A client that offers compression with these parameters; without a `None` it can't be."""
    factory = ClientPerMessageDeflateFactory(**parameters)
    return connect(
        process.ws_url + target,
        extensions=[factory],
        compression=None,
        max_size=None,
        proxy=None,
    )


def opened(process: ServerProcess, target: str = "/echo/any", offer: str = NO_TAKEOVER) -> Wire:
    wire = process.connect()
    response = wire.upgrade(target, f"Sec-WebSocket-Extensions: {offer}")
    assert response.status == 101
    assert response.header("sec-websocket-extensions") == NO_TAKEOVER
    return wire


def deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflated(data: bytes) -> bytes:
    return zlib.decompressobj(wbits=-15).decompress(data + b"\0\0\xff\xff")


def messages() -> list[str | bytes]:
    """Texts and bytes of every size around the threshold, some that don't compress."""
    noise = random.Random(7692).randbytes
    kinds: list[str | bytes] = ["", b"", "short", SENTENCE * 3, SENTENCE * 3, b"\0" * 300]
    for size in (255, 256, 257, 20_000, 70_000):
        kinds += [noise(size), (SENTENCE * size)[:size], (b"%d," * size) % (*range(size),)]
    return kinds


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"client_max_window_bits": True},
        {"server_no_context_takeover": True},
        {"client_no_context_takeover": True},
        {"server_no_context_takeover": True, "client_no_context_takeover": True},
        {"server_max_window_bits": 9, "client_max_window_bits": 9},
        {"server_max_window_bits": 12, "client_max_window_bits": True},
    ],
    ids=str,
)
def test_messages_both_ways(process: ServerProcess, parameters: dict[str, Any]) -> None:
    with client(process, **parameters) as socket:
        assert len(socket.protocol.extensions) == 1
        for message in messages():
            socket.send(message)
            assert socket.recv(10) == message
        socket.send([SENTENCE, "", SENTENCE, SENTENCE * 100])  # in four fragments
        assert socket.recv(10) == SENTENCE * 102


def test_large_messages(process: ServerProcess) -> None:
    with client(process) as socket:
        for message in (random.Random(1).randbytes(MIB), b"\0" * MIB, (SENTENCE * MIB)[: MIB // 2]):
            socket.send(message)
            assert socket.recv(20) == message


def test_without_an_offer_nothing_is_compressed(process: ServerProcess) -> None:
    with process.connect() as wire:
        assert wire.upgrade("/echo/any").header("sec-websocket-extensions") is None
        wire.send_frame(TEXT, "x" * 1000)
        assert wire.read(4) == bytes([0x80 | TEXT, 126]) + (1000).to_bytes(2, "big")
        assert wire.read(1000) == b"x" * 1000
        wire.send_frame(TEXT, deflated(b"x" * 1000), rsv=RSV1)
        assert wire.read_close() == 1002


def test_shared_mode_answers_every_offer_without_takeover(server: StartServer) -> None:
    process = server("apps.probe:app")
    for offer in ("permessage-deflate", "x-unknown, permessage-deflate; client_max_window_bits"):
        opened(process, offer=offer).close()
    with process.connect() as wire:
        response = wire.upgrade("/echo/any", "Sec-WebSocket-Extensions: permessage-deflate; x=1")
        assert response.status == 101
        assert response.header("sec-websocket-extensions") is None
    with process.connect() as wire:
        assert wire.upgrade("/echo/any", "Sec-WebSocket-Extensions: ;").status == 400


def test_only_messages_from_the_threshold_on_are_compressed(server: StartServer) -> None:
    process = server("apps.probe:app", "--ws-deflate-threshold", "100")
    with opened(process) as wire:
        wire.send_frame(TEXT, "x" * 99)
        assert wire.read(2) == bytes([0x80 | TEXT, 99])
        assert wire.read(99) == b"x" * 99
        wire.send_frame(TEXT, "x" * 100)
        first, size = wire.read(2)
        assert first == 0x80 | COMPRESSED | TEXT
        assert inflated(wire.read(size)) == b"x" * 100


def test_it_can_be_switched_off(server: StartServer) -> None:
    with client(server("apps.probe:app", "--ws-deflate", "off")) as socket:
        assert socket.protocol.extensions == []
        socket.send(SENTENCE * 100)
        assert socket.recv(10) == SENTENCE * 100


def test_beyond_the_memory_of_dedicated_streams_connections_share(server: StartServer) -> None:
    # 48 KiB compress and 32 inflate for each, and some for zlib's structures.
    flags = ("--ws-deflate", "dedicated", "--ws-deflate-memory", str(250 * 1024))
    process = server("apps.probe:app", *flags)
    offer = "Sec-WebSocket-Extensions: permessage-deflate"
    with process.connect() as one, process.connect() as two, process.connect() as three:
        answers = [wire.upgrade("/echo/any", offer) for wire in (one, two, three)]
        found = [answer.header("sec-websocket-extensions") for answer in answers]
        assert found == ["permessage-deflate", "permessage-deflate", NO_TAKEOVER]


@pytest.mark.parametrize("pieces", [1, 10])
def test_bomb(server: StartServer, pieces: int) -> None:
    """1 GiB of zeros in 1 MiB; the size is checked while it is inflated."""
    compressor = zlib.compressobj(9, wbits=-15)
    compressed = compressor.compress(bytes(MIB)) + compressor.flush(zlib.Z_FULL_FLUSH)
    bomb = compressed * 1024
    assert len(bomb) < 1.02 * MIB
    size = -(-len(bomb) // pieces)
    process = server("apps.probe:app")
    with opened(process) as wire:
        Path(f"/proc/{process.process.pid}/clear_refs").write_text("5")  # the peak begins anew
        memory = process.memory()
        for number in range(pieces):
            opcode, rsv = (0, 0) if number else (BINARY, RSV1)
            part = bomb[number * size : (number + 1) * size]
            with suppress(OSError):  # once the server has closed
                wire.send_frame(opcode, part, rsv=rsv, fin=number == pieces - 1)
        assert wire.read_close() == 1009
    more = process.peak_memory() - memory
    print(f"{more / 1024:.0f} KiB more")
    if not process.is_sanitized():
        assert more < 4 * MIB
