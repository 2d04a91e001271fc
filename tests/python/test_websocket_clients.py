"""WebSocket clients of others against the server: websockets, aiohttp, and ws of Node."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from server_process import ServerProcess
from websockets.sync.client import connect

MIB = 1 << 20


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
