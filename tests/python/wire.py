"""Raw clients: bytes of HTTP/1.1 and WebSocket frames on a socket, with nothing made pretty."""

from __future__ import annotations

import base64
import os
import socket
import struct
from dataclasses import dataclass, field

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@dataclass
class Response:
    """An HTTP response as it came."""

    version: str
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    def header(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None


class Wire:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = b""

    @classmethod
    def open(cls, address: tuple[str, int] | str, receive_buffer: int | None = None) -> Wire:
        """Connects to (host, port) or to the path of a Unix socket."""
        if isinstance(address, str):
            family, target = socket.AF_UNIX, address
        else:
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
            target = address
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            if receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.settimeout(15)
            sock.connect(target)
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.sock.close()

    @property
    def name(self) -> str:
        """This end's address as the server's logs write it; for TCP over IPv4, while it is open."""
        host, port = self.sock.getsockname()
        return f"{host}:{port}"

    def reset(self) -> None:
        """Closes with RST, as a client that crashes."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def send(self, data: bytes | str) -> None:
        self.sock.sendall(data.encode("latin1") if isinstance(data, str) else data)

    def request(
        self, target: str = "/", method: str = "GET", *headers: str, body: bytes = b""
    ) -> None:
        """Sends a request with a Host header; nothing else is added."""
        lines = [f"{method} {target} HTTP/1.1", "Host: test", *headers, "", ""]
        self.send("\r\n".join(lines).encode("latin1") + body)

    def get(self, target: str = "/", *headers: str, method: str = "GET") -> Response:
        """One request without content, and its response."""
        self.request(target, method, *headers)
        return self.response(method)

    def fill(self) -> bool:
        """Reads once; False at the end of the stream (a reset counts as one)."""
        try:
            data = self.sock.recv(1 << 18)
        except (ConnectionResetError, BrokenPipeError):
            return False
        self.buffer += data
        return bool(data)

    def read(self, size: int) -> bytes:
        while len(self.buffer) < size:
            if not self.fill():
                raise EOFError(f"closed after {len(self.buffer)} of {size} bytes: {self.buffer!r}")
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def read_until(self, end: bytes) -> bytes:
        while end not in self.buffer:
            if not self.fill():
                raise EOFError(f"closed before {end!r}: {self.buffer!r}")
        data, _, self.buffer = self.buffer.partition(end)
        return data

    def read_to_end(self) -> bytes:
        while self.fill():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def is_closed(self, within: float = 5) -> bool:
        """Does the server close the connection, without another byte?"""
        self.sock.settimeout(within)
        try:
            return not self.fill() and not self.buffer
        except TimeoutError:
            return False
        finally:
            self.sock.settimeout(15)

    def is_quiet(self, for_seconds: float = 0.3) -> bool:
        """Does the connection stay open without a byte?"""
        self.sock.settimeout(for_seconds)
        try:
            self.fill()
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(15)
        return False

    # --- HTTP ---

    def head(self) -> Response:
        lines = self.read_until(b"\r\n\r\n").decode("latin1").split("\r\n")
        version, status, reason = lines[0].split(" ", 2)
        headers = []
        for line in lines[1:]:
            name, value = line.split(":", 1)
            headers.append((name, value.strip()))
        return Response(version, int(status), reason, headers)

    def response(self, method: str = "GET") -> Response:
        """Reads a whole response with the framing its head announces."""
        response = self.head()
        if method == "HEAD" or response.status < 200 or response.status in (204, 304):
            return response
        if response.header("transfer-encoding") == "chunked":
            while chunk := self.chunk():
                response.chunks.append(chunk)
            response.body = b"".join(response.chunks)
        elif (length := response.header("content-length")) is not None:
            response.body = self.read(int(length))
        else:
            response.body = self.read_to_end()
        return response

    def chunk(self) -> bytes:
        size = int(self.read_until(b"\r\n"), 16)
        data = self.read(size)
        assert self.read(2) == b"\r\n"
        return data

    # --- WebSocket ---

    def upgrade(self, target: str, *headers: str) -> Response:
        """Sends an opening handshake and returns the answer, with its content if it is no 101."""
        key = base64.b64encode(os.urandom(16)).decode()
        self.request(
            target,
            "GET",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            *headers,
        )
        return self.response()

    def upgraded(self, target: str, *headers: str) -> Wire:
        """Sends an opening handshake and returns this connection, or closes it if refused."""
        try:
            response = self.upgrade(target, *headers)
            assert response.status == 101, response
        except BaseException:
            self.close()
            raise
        return self

    def send_frame(self, opcode: int, payload: bytes | str = b"", **options: object) -> None:
        self.send(frame(opcode, payload, **options))  # type: ignore[arg-type]

    def read_frame(self) -> tuple[int, bytes]:
        """Reads a frame, which must be as a server's with nothing negotiated."""
        first, second = self.read(2)
        assert first & 0x70 == 0, "reserved bits"
        assert second & 0x80 == 0, "a server must not mask"
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.read(8))
        assert first & 0x80, "fragmented"
        return first & 0x0F, self.read(size)

    def read_close(self) -> int | None:
        """Reads frames up to a close frame and returns its code, None when it has none."""
        while True:
            opcode, payload = self.read_frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big") if payload else None


def frame(
    opcode: int, payload: bytes | str = b"", *, fin: bool = True, mask: bool = True, rsv: int = 0
) -> bytes:
    """A client's frame, correct or deliberately not."""
    payload = payload.encode() if isinstance(payload, str) else payload
    size = len(payload)
    bit = 0x80 if mask else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if size < 126:
        head += bytes([bit | size])
    elif size < 1 << 16:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    if not mask:
        return head + payload
    key = os.urandom(4)
    stream = (key * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")
    return head + key + masked.to_bytes(size, "big")


def close_payload(code: int, reason: str = "") -> bytes:
    return code.to_bytes(2, "big") + reason.encode()


def handshake(target: str = "/echo/any", **changes: str | None) -> str:
    """An opening handshake; a keyword replaces a line (None drops it), `extra` adds some."""
    lines: dict[str, str | None] = {
        "request": f"GET {target} HTTP/1.1",
        "host": "Host: test",
        "upgrade": "Upgrade: websocket",
        "connection": "Connection: Upgrade",
        "key": f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}",
        "version": "Sec-WebSocket-Version: 13",
        **changes,
    }
    return "".join(f"{line}\r\n" for line in lines.values() if line is not None) + "\r\n"
