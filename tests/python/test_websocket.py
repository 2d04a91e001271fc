"""WebSocket as a client sees it and as an application sees it (RFC 6455, ASGI WebSocket 2.5)."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import shutil
import struct
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import StartServer
from server_process import ServerProcess
from waiting import wait_until
from websockets.sync.client import connect
from wire import BINARY, CLOSE, PING, PONG, TEXT, Wire, close_payload, frame, handshake

MIB = 1 << 20


# --- messages ---


@pytest.mark.parametrize("size", [0, 1, 2, 125, 126, 127, 1000, 65535, 65536, 100_000])
def test_sizes(wire: Wire, size: int) -> None:
    wire.upgraded("/echo/any")
    for opcode, payload in ((TEXT, b"a" * size), (BINARY, os.urandom(size))):
        wire.send_frame(opcode, payload)
        assert wire.read_frame() == (opcode, payload)


def test_one_mib_each_way(wire: Wire) -> None:
    wire.upgraded("/echo/any")
    payload = os.urandom(MIB)
    wire.send_frame(BINARY, payload)
    assert wire.read_frame() == (BINARY, payload)
    text = ("é" * (MIB // 2)).encode()
    wire.send_frame(TEXT, text)
    assert wire.read_frame() == (TEXT, text)


def test_large_message_out(wire: Wire) -> None:
    wire.upgraded(f"/large/{10 * MIB}")
    assert wire.read_frame() == (BINARY, b"\xa5" * (10 * MIB))


def test_message_dicts(wire: Wire) -> None:
    wire.upgraded("/raw-messages")
    wire.send_frame(TEXT, "grüße €😀")
    message = ast.literal_eval(wire.read_frame()[1].decode())
    assert message.pop("bytes", None) is None
    assert message == {"type": "websocket.receive", "text": "grüße €😀"}
    wire.send_frame(BINARY, b"\0\xff")
    message = ast.literal_eval(wire.read_frame()[1].decode())
    assert message.pop("text", None) is None
    assert message == {"type": "websocket.receive", "bytes": b"\0\xff"}
    wire.send_frame(TEXT, "")
    message = ast.literal_eval(wire.read_frame()[1].decode())
    assert message["text"] == ""


def test_empty_messages_out(wire: Wire) -> None:
    wire.upgraded("/empty-messages")
    assert wire.read_frame() == (TEXT, b"")
    assert wire.read_frame() == (BINARY, b"")
    assert wire.read_frame() == (TEXT, b"both keys")
    assert wire.read_frame() == (BINARY, b"array")


def test_fragments_are_joined(wire: Wire) -> None:
    wire.upgraded("/echo/any")
    word = "grüße".encode()
    for index in range(len(word)):
        wire.send_frame(TEXT if index == 0 else 0, word[index : index + 1], fin=False)
    wire.send_frame(PING, "between")  # Control frames may come between fragments.
    wire.send_frame(0, b"", fin=True)
    assert wire.read_frame() == (PONG, b"between")
    assert wire.read_frame() == (TEXT, word)


def test_frames_byte_by_byte(wire: Wire) -> None:
    wire.upgraded("/echo/any")
    for byte in frame(TEXT, "slow") + frame(BINARY, b"x" * 200):
        wire.send(bytes([byte]))
        time.sleep(0.0005)
    assert wire.read_frame() == (TEXT, b"slow")
    assert wire.read_frame() == (BINARY, b"x" * 200)


def test_many_messages_in_one_write_keep_their_order(wire: Wire) -> None:
    wire.upgraded("/echo/any")
    wire.send(b"".join(frame(TEXT, str(number)) for number in range(2000)))
    for number in range(2000):
        assert wire.read_frame() == (TEXT, str(number).encode())


def test_burst_out_keeps_its_order(wire: Wire) -> None:
    wire.upgraded("/burst/20000")
    for number in range(20000):
        assert wire.read_frame() == (TEXT, str(number).encode())
    assert wire.read_close() == 1000


# --- ping and pong ---


def test_ping_is_answered(wire: Wire) -> None:
    wire.upgraded("/echo/any")
    for payload in (b"", b"payload", b"x" * 125):
        wire.send_frame(PING, payload)
        assert wire.read_frame() == (PONG, payload)


def test_unsolicited_pong_is_ignored(wire: Wire) -> None:
    wire.upgraded("/echo/any")
    wire.send_frame(PONG, "nobody asked")
    wire.send_frame(TEXT, "still here")
    assert wire.read_frame() == (TEXT, b"still here")


def test_keep_alive_pings(server: StartServer, key: str) -> None:
    process = server("apps.probe:app", "--ping-interval", "0.5", "--ping-timeout", "1")
    with process.connect() as wire:
        wire.upgraded(f"/echo/{key}")
        for _ in range(2):  # Answered: the connection lives on.
            opcode, payload = wire.read_frame()
            assert opcode == PING
            wire.send_frame(PONG, payload)
        wire.send_frame(TEXT, "alive")
        while (message := wire.read_frame())[0] == PING:
            pass
        assert message == (TEXT, b"alive")
        begun = time.monotonic()
        wire.read_to_end()  # Unanswered: it doesn't.
        assert 0.5 < time.monotonic() - begun < 5
    report = process.report(key)
    assert isinstance(report, dict)
    assert report["code"] == 1006


def test_no_pings_when_switched_off(server: StartServer) -> None:
    with server("apps.probe:app", "--ping-interval", "0").connect() as wire:
        wire.upgraded("/echo/any")
        assert wire.is_quiet(1.2)


# --- closing ---


def test_code_and_reason_from_the_client(probe: ServerProcess, key: str) -> None:
    with probe.connect() as wire:
        wire.upgraded(f"/echo/{key}")
        wire.send_frame(CLOSE, close_payload(4321, "schlüss"))
        assert wire.read_close() == 4321
        assert wire.is_closed()
    expected = {"type": "websocket.disconnect", "code": 4321, "reason": "schlüss"}
    assert probe.report(key) == expected


def test_close_without_a_code_is_1005(probe: ServerProcess, key: str) -> None:
    with probe.connect() as wire:
        wire.upgraded(f"/echo/{key}")
        wire.send_frame(CLOSE)
        assert wire.read_close() in (None, 1000)
        assert wire.is_closed()
    report = probe.report(key)
    assert isinstance(report, dict)
    assert report["code"] == 1005


@pytest.mark.parametrize("how", ["close", "reset"])
def test_loss_of_the_connection_is_1006(server: StartServer, key: str, how: str) -> None:
    process = server()
    wire = process.connect()
    wire.upgraded(f"/echo/{key}")
    getattr(wire, how)()
    report = process.report(key, timeout=2)
    assert isinstance(report, dict)
    assert (report["type"], report["code"]) == ("websocket.disconnect", 1006)
    assert "Traceback" not in process.log()


@pytest.mark.parametrize(
    ("rest", "code", "reason"),
    [("", 1000, b""), ("4001", 4001, b""), ("4001/tired", 4001, b"tired"), ("1001", 1001, b"")],
)
def test_close_by_the_application(
    probe: ServerProcess, rest: str, code: int, reason: bytes
) -> None:
    with probe.connect() as wire:
        wire.upgraded(f"/close/{rest}")
        opcode, payload = wire.read_frame()
        assert opcode == CLOSE
        assert payload == code.to_bytes(2, "big") + reason
        wire.send_frame(CLOSE, payload)
        assert wire.is_closed()
    report = probe.report(f"close-{rest}")
    assert isinstance(report, dict)
    assert report["type"] == "websocket.disconnect"
    assert report["code"] == code


def test_long_reason_is_cut_between_characters(wire: Wire) -> None:
    """A close frame holds 123 bytes of reason (RFC 6455 5.5)."""
    wire.upgraded("/close/4001/" + "x" + "%C3%A9" * 70)
    opcode, payload = wire.read_frame()
    assert opcode == CLOSE
    assert payload == (4001).to_bytes(2, "big") + ("x" + "é" * 61).encode()


def test_closing_handshake_that_the_client_never_finishes(probe: ServerProcess) -> None:
    with probe.connect() as wire:
        wire.upgraded("/close/4002")
        assert wire.read_close() == 4002
        begun = time.monotonic()
        assert wire.is_closed(12)
        assert time.monotonic() - begun < 11


def test_application_that_returns_closes_with_1000(wire: Wire) -> None:
    wire.upgraded("/return-after-accept")
    assert wire.read_frame() == (TEXT, b"last words")
    assert wire.read_close() == 1000


def test_application_that_raises_closes_with_1011(probe: ServerProcess) -> None:
    log = len(probe.log())
    with probe.connect() as wire:
        wire.upgraded("/raise-after-accept")
        assert wire.read_frame() == (TEXT, b"last words")
        assert wire.read_close() == 1011
    wait_until(lambda: "LookupError: broken on purpose, after accept" in probe.log()[log:])


def test_send_after_the_disconnect_raises_an_os_error(probe: ServerProcess, key: str) -> None:
    with probe.connect() as wire:
        wire.upgraded(f"/send-to-gone/{key}")
        wire.send_frame(CLOSE, close_payload(1000))
        wire.read_close()
    results = probe.report(key)
    assert isinstance(results, list)
    assert results[0]["raised"] == "ClientDisconnected"
    assert "OSError" in results[0]["bases"]
    assert results[1]["raised"] in (None, "ClientDisconnected")  # Closing again does no harm.


def test_send_to_a_lost_client_raises_and_is_no_failure(server: StartServer, key: str) -> None:
    process = server()
    wire = process.connect()
    wire.upgraded(f"/endless/{key}")
    wire.read_frame()
    wire.reset()
    report = process.report(key, timeout=3)
    assert isinstance(report, dict)
    assert "OSError" in report["bases"]
    time.sleep(0.1)
    assert "Traceback" not in process.log()


def test_receive_after_the_disconnect_is_never_a_message(probe: ServerProcess, key: str) -> None:
    with probe.connect() as wire:
        wire.upgraded(f"/receive-again/{key}")
        wire.send_frame(CLOSE, close_payload(1000))
        wire.read_close()
    report = probe.report(key)
    assert isinstance(report, list)
    assert report[0] == "websocket.disconnect"


# --- frames that break the rules ---


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, "x", mask=False), 1002),
        (frame(TEXT, "x", rsv=4), 1002),
        (frame(3, "x"), 1002),
        (frame(11, "x"), 1002),
        (frame(0, "x"), 1002),
        (frame(TEXT, "x", fin=False) + frame(TEXT, "y"), 1002),
        (frame(PING, "x", fin=False), 1002),
        (frame(PING, "x" * 126), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(CLOSE, close_payload(1005)), 1002),
        (frame(CLOSE, close_payload(1006)), 1002),
        (frame(CLOSE, close_payload(999)), 1002),
        (frame(CLOSE, close_payload(5000)), 1002),
        (frame(CLOSE, close_payload(1000) + b"\xff"), 1007),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"\xc3"), 1007),
        (frame(TEXT, b"\xed\xa0\x80"), 1007),
        (frame(TEXT, b"\xc3", fin=False) + frame(0, b"x"), 1007),
        (frame(BINARY, bytes(MIB + 1)), 1009),
        (frame(BINARY, bytes(MIB), fin=False) + frame(0, b"x"), 1009),
        (b"\x82\xff" + struct.pack("!Q", 1 << 40) + b"mask", 1009),
        (b"\x82\xff" + struct.pack("!Q", 1 << 63) + b"mask", 1002),
    ],
    ids=[
        "unmasked",
        "reserved bit",
        "reserved opcode",
        "reserved control opcode",
        "continuation of nothing",
        "new message within a message",
        "fragmented ping",
        "long ping",
        "close with half a code",
        "close 1005",
        "close 1006",
        "close 999",
        "close 5000",
        "close reason is no UTF-8",
        "no UTF-8",
        "incomplete UTF-8",
        "surrogate",
        "UTF-8 broken in a fragment",
        "frame too large",
        "message too large",
        "length of a terabyte",
        "length with its highest bit",
    ],
)
def test_wrong_frame_closes_with_its_code(
    probe: ServerProcess, key: str, data: bytes, code: int
) -> None:
    with probe.connect() as wire:
        wire.upgraded(f"/echo/{key}")
        with suppress(ConnectionError):  # Closed before it was all sent.
            wire.send(data)
        assert wire.read_close() in ({code, 1002} if code == 1002 else {code})
        wire.send_frame(CLOSE, close_payload(code))
        assert wire.is_closed(8)
    report = probe.report(key)
    assert isinstance(report, dict)
    assert report["type"] == "websocket.disconnect"
    assert probe.get("/").text == "hello"


def test_message_of_exactly_the_limit_is_taken(wire: Wire) -> None:
    wire.upgraded("/echo/any")
    wire.send(frame(BINARY, bytes(MIB // 2), fin=False) + frame(0, bytes(MIB // 2)))
    assert wire.read_frame() == (BINARY, bytes(MIB))


# --- wrong use by the application ---

WRONG_CASES = [
    "send-before-accept",
    "accept-twice",
    "unknown-type",
    "http-message",
    "no-type",
    "not-a-dict",
    "neither",
    "both-none",
    "both-given",
    "text-is-bytes",
    "bytes-is-str",
    "lone-surrogate",
    "code-is-str",
    "code-is-reserved",
    "code-out-of-range",
    "subprotocol-is-bytes",
    "subprotocol-not-offered",
    "header-is-str",
    "header-with-newline",
    "header-subprotocol",
    "deny-after-accept",
    "deny-body-first",
]


@pytest.mark.parametrize("case", WRONG_CASES)
def test_wrong_message_raises_in_send(probe: ServerProcess, key: str, case: str) -> None:
    with probe.connect() as wire:
        wire.send(handshake(f"/wrong/{case}/{key}"))
        result = probe.report(key)
        assert isinstance(result, dict)
        assert result["raised"] is not None, "send() took it"
        assert "OSError" not in result["bases"]
        assert result["text"], "the exception says nothing"
        assert b"c: d" not in wire.read_until(b"\r\n\r\n")


# --- back-pressure ---


def test_send_waits_for_a_client_that_does_not_read(probe: ServerProcess, key: str) -> None:
    with Wire.open((probe.host, probe.port), receive_buffer=8192) as wire:
        wire.upgraded(f"/flood/{key}")
        probe.report(key)
        time.sleep(0.5)
        taken = probe.report(key)
        time.sleep(0.5)
        assert probe.report(key) == taken, "send() goes on although nobody reads"
        assert isinstance(taken, int)
        assert taken < 16 * MIB
        for _ in range(200):
            assert wire.read_frame() == (BINARY, bytes(16384))
        wait_until(lambda: probe.report(key) != taken)
    end = probe.report(f"{key}-end")
    assert isinstance(end, dict)
    assert "OSError" in end["bases"]


def test_reading_waits_for_an_application_that_does_not_receive(
    server: StartServer, key: str
) -> None:
    process = server("apps.probe:app")
    process.get("/")
    before = process.memory()
    message = frame(BINARY, bytes(65536))
    with process.connect() as wire:
        wire.upgraded(f"/slow-reader/{key}")
        wire.sock.settimeout(0.5)
        sent = 0
        with suppress(TimeoutError):
            while sent < 500:
                wire.sock.sendall(message)
                sent += 1
        assert process.memory() - before < 12 * MIB
        assert sent < 500
    report = process.report(key)
    assert isinstance(report, dict)
    assert sent - 1 <= report["count"] <= sent


# --- log lines ---


def test_access_log_lines(probe: ServerProcess, key: str) -> None:
    with probe.connect() as wire:
        wire.upgraded(f"/echo/{key}?q")
        wire.send_frame(CLOSE, close_payload(1000))
        wire.read_close()
    with probe.connect() as wire:
        assert wire.upgrade(f"/reject/{key}").status == 403
    wait_until(lambda: "WSREJECT" in probe.access_log())

    def lines() -> list[str]:
        return re.findall(rf'"(\w+ /\w+/{key})" - -$', probe.access_log(), re.MULTILINE)

    wait_until(lambda: len(lines()) >= 5)
    assert lines()[:5] == [
        f"WSCONNECTING /echo/{key}",
        f"WSCONNECT /echo/{key}",
        f"WSDISCONNECT /echo/{key}",
        f"WSCONNECTING /reject/{key}",
        f"WSREJECT /reject/{key}",
    ]


# --- other clients ---


def test_websockets_client(probe: ServerProcess) -> None:
    with connect(f"{probe.ws_url}/echo/any", proxy=None, max_size=None) as client:
        for message in ("text", b"bytes", "", b"", "é" * 100_000, os.urandom(MIB)):
            client.send(message)
            assert client.recv(timeout=10) == message
        client.send(["frag", "ments"])
        assert client.recv(timeout=10) == "fragments"
        assert client.ping().wait(5)
        client.close(4000, "bye")
        assert client.protocol.close_code == 4000


@pytest.mark.parametrize("compress", [0, 15])
def test_aiohttp_client(probe: ServerProcess, compress: int) -> None:
    import aiohttp

    async def talk(session: aiohttp.ClientSession, number: int) -> None:
        async with session.ws_connect(
            f"{probe.ws_url}/echo/any", max_msg_size=0, compress=compress
        ) as socket:
            assert bool(socket.compress) == bool(compress)
            for size in (1, 1000, 70_000):
                await socket.send_bytes(bytes([number]) * size)
                assert await socket.receive_bytes(timeout=10) == bytes([number]) * size
            await socket.send_str(f"number {number}")
            assert await socket.receive_str(timeout=10) == f"number {number}"

    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(talk(session, number) for number in range(20)))

    asyncio.run(main())


NODE_SCRIPT = """
const WebSocket = require("ws");
const { createHash, randomBytes } = require("crypto");
const url = process.argv[2];
const sent = [
  Buffer.from("hello"), randomBytes(1 << 20), Buffer.alloc(0), randomBytes(70000),
  Buffer.from("compress me ".repeat(5000)),
];
const received = [];
const socket = new WebSocket(url, { perMessageDeflate: { threshold: 0 } });
let extensions = "";
socket.on("open", () => {
  extensions = socket.extensions;
  for (const data of sent) socket.send(data);
  socket.ping("node");
});
let pong = "";
socket.on("pong", (data) => { pong = data.toString(); });
socket.on("message", (data) => {
  received.push(createHash("sha256").update(data).digest("hex"));
  if (received.length === sent.length) setTimeout(() => socket.close(4003, "done"), 200);
});
socket.on("close", (code) => {
  const expected = sent.map((data) => createHash("sha256").update(data).digest("hex"));
  const same = JSON.stringify(expected) === JSON.stringify(received);
  console.log(JSON.stringify({ same, pong, code, extensions }));
});
socket.on("error", (error) => { console.error(error); process.exit(1); });
"""


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Node's `ws` installed."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("NODE IS NOT TESTED: node or npm is not installed (apt install nodejs npm)")
    folder = tmp_path_factory.mktemp("node")
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "ws@8"]
    result = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=100)
    if result.returncode != 0:
        pytest.skip(f"NODE IS NOT TESTED: npm could not install ws: {result.stderr[-300:]}")
    return folder


@pytest.mark.timeout(150)
def test_node_ws_client(probe: ServerProcess, key: str, node_folder: Path) -> None:
    (node_folder / "client.js").write_text(NODE_SCRIPT)
    result = subprocess.run(
        ["node", "client.js", f"{probe.ws_url}/echo/{key}"],
        cwd=node_folder,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found.pop("extensions").startswith("permessage-deflate")
    assert found == {"same": True, "pong": "node", "code": 4003}
    report = {"type": "websocket.disconnect", "code": 4003, "reason": "done"}
    assert probe.report(key) == report
