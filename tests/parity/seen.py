"""What came of a case on one server: the bytes, in pieces that lose none, and the recording."""

from __future__ import annotations

import ast
import struct
from dataclasses import dataclass, field
from typing import Any

OPCODES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}


@dataclass
class Answer:
    """A response as it came: status line, field lines, and pieces of content as framed."""

    line: bytes
    fields: list[bytes]
    content: list[bytes] = field(default_factory=list)
    whole: bool = False

    @property
    def status(self) -> int:
        return int(self.line.split(b" ")[1])

    def value(self, name: bytes) -> bytes | None:
        for line in self.fields:
            key, _, value = line.partition(b":")
            if key.lower() == name:
                return value.strip().lower()
        return None


@dataclass
class Frame:
    """A WebSocket frame as it came, without its length."""

    first: int
    payload: bytes

    @property
    def is_close(self) -> bool:
        return self.first == 0x88


@dataclass
class Outcome:
    """All that can be seen of a case: answers and frames, bytes that are neither, the calls."""

    answers: list[Answer]
    frames: list[Frame]
    rest: bytes
    end: str
    calls: list[list[tuple[str, Any]]]

    def summary(self) -> str:
        """What happened in few words, for cases in which the servers differ altogether."""
        words = [str(answer.status) + ("" if answer.whole else " cut") for answer in self.answers]
        for one in self.frames:
            code = str(int.from_bytes(one.payload[:2], "big")) if one.payload else "empty"
            name = OPCODES[one.first & 15]
            words.append(f"{name} {code}" if name == "close" else name)
        words += ["stray bytes"] if self.rest else []
        words.append(self.end)
        for call in self.calls:
            words.append("|")
            words += [_word(kind, value) for kind, value in call if kind != "scope"]
        return " ".join(words)


def _word(kind: str, value: Any) -> str:
    if kind == "event":
        code = f" {value['code']}" if "code" in value else ""
        return str(value["type"].partition(".")[2]) + code
    return f"{kind} {str(value).partition(':')[0]}" if kind == "raised" else kind


def parse_stream(data: bytes, bodiless: bool) -> tuple[list[Answer], list[Frame], bytes]:
    """Splits what a server sent. A last response that ends with the connection isn't `whole`."""
    answers: list[Answer] = []
    while data.startswith(b"HTTP/") and b"\r\n\r\n" in data:
        head, _, data = data.partition(b"\r\n\r\n")
        line, *fields = head.split(b"\r\n")
        answer = Answer(line, fields)
        answers.append(answer)
        data = _take_content(answer, data, bodiless)
        if answer.status == 101:
            frames, data = _take_frames(data)
            return answers, frames, data
    return answers, [], data


def _take_content(answer: Answer, data: bytes, bodiless: bool) -> bytes:
    length = answer.value(b"content-length")
    if bodiless or answer.status < 200 or answer.status in (204, 304):
        answer.whole = True
    elif answer.value(b"transfer-encoding") == b"chunked":
        while b"\r\n" in data and not answer.whole:
            size, _, rest = data.partition(b"\r\n")
            count = int(size, 16)
            if len(rest) < count + 2:
                break
            chunk, data = rest[:count], rest[count + 2 :]
            answer.whole = not count
            answer.content += [chunk] if count else []
    elif length is not None:
        answer.content, data = [data[: int(length)]], data[int(length) :]
        answer.whole = len(answer.content[0]) == int(length)
    elif answer.fields:
        answer.content, data = [data], b""
    else:
        answer.whole = True  # Daphne's bare 400
    return data


def _take_frames(data: bytes) -> tuple[list[Frame], bytes]:
    frames: list[Frame] = []
    while len(data) >= 2:
        size, start = data[1] & 127, 2
        if size == 126 and len(data) >= 4:
            (size,), start = struct.unpack("!H", data[2:4]), 4
        elif size == 127 and len(data) >= 10:
            (size,), start = struct.unpack("!Q", data[2:10]), 10
        if data[1] & 128 or len(data) < start + size:
            break
        frames.append(Frame(data[0], data[start : start + size]))
        data = data[start + size :]
    return frames, data


def parse_recording(text: str) -> list[list[tuple[str, Any]]]:
    """Returns what each call recorded, in the order of the calls."""
    calls: dict[int, list[tuple[str, Any]]] = {}
    for line in text.splitlines():
        call, kind, value = ast.literal_eval(line)
        calls.setdefault(call, []).append((kind, value))
    return [calls[number] for number in sorted(calls)]


def with_ports(
    calls: list[list[tuple[str, Any]]], ports: dict[str, int]
) -> list[list[tuple[str, Any]]]:
    """Puts a word for the port of this client and of this server, where they stand in a scope."""

    def named(key: str, address: Any) -> Any:
        if address is None or address[1] != ports[key]:
            return address
        return type(address)([address[0], f"the {key}'s port"])

    def change(kind: str, value: Any) -> tuple[str, Any]:
        if kind == "scope":
            return kind, {k: named(k, v) if k in ports else v for k, v in value.items()}
        return kind, value

    return [[change(*entry) for entry in call] for call in calls]
