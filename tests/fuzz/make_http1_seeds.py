"""Writes the request streams of tests/data/http1/*.md as seed files for the HTTP/1 fuzz targets.

Usage: make_http1_seeds.py FOLDER [TARGET]

The target fuzz_http1_chunked gets what follows the head of each chunked request, fuzz_http1_session
besides some requests of its own; every other target gets the streams as they are.
"""

import re
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data" / "http1"
ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t"}
# Masked frames: text "hi", its first half, a ping, a close.
FRAMES = [
    b"\x81\x82\x01\x02\x03\x04ik",
    b"\x01\x81\0\0\0\0h",
    b"\x89\x80\0\0\0\0",
    b"\x88\x82\0\0\0\0\x03\xe8",
]


def unescape(line: str) -> bytes:
    """Returns the bytes of one line of a case, as request_parser_test.cpp reads it."""
    end = b"\r\n"
    if line.endswith("\\") and not line.endswith("\\\\"):
        line, end = line[:-1], b""

    def replace(match: re.Match[bytes]) -> bytes:
        code = match[1]
        if len(code) == 3:
            return bytes([int(code[1:], 16)])
        return ESCAPES.get(code, code)

    return re.sub(rb"\\(x[0-9a-f]{2}|.)", replace, line.encode()) + end


def streams() -> dict[str, bytes]:
    """Returns the request stream of each case, by a name for its file."""
    found = {}
    for path in sorted(DATA.glob("*.md")):
        blocks = re.findall(r"```http\n(.*?)\n```", path.read_text(), re.DOTALL)
        for number, block in enumerate(blocks):
            stream = b"".join(unescape(line) for line in block.split("\n"))
            found[f"{path.stem}-{number:03}"] = stream
    return found


def session_streams() -> dict[str, bytes]:
    """Returns a stream for each way in which fuzz_http1_session's application answers."""
    found = {}
    for letter in "acfghlnstx":
        get = f"GET /{letter} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        post = (
            f"POST /{letter} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            "Content-Length: 5\r\n\r\nhello"
        ).encode()
        old = f"POST /{letter} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".encode()
        found[f"session-{letter}"] = get + post + old + get
    upgrade = (
        b"GET /w HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    for number, frame in enumerate(FRAMES):
        found[f"session-websocket-{number}"] = upgrade + FRAMES[0] + frame
    return found


def main() -> None:
    """Writes one file for each seed."""
    folder = Path(sys.argv[1])
    target = sys.argv[2] if len(sys.argv) > 2 else ""
    seeds = streams()
    if target == "fuzz_http1_chunked":
        heads = {name: stream.partition(b"\r\n\r\n") for name, stream in seeds.items()}
        seeds = {name: head[2] for name, head in heads.items() if b"chunked" in head[0]}
    elif target == "fuzz_http1_session":
        seeds |= session_streams()
    folder.mkdir(parents=True, exist_ok=True)
    for name, seed in seeds.items():
        (folder / name).write_bytes(seed)


if __name__ == "__main__":
    main()
