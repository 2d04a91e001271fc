"""Cases about WebSockets: the opening handshake, messages, and how they end."""

from __future__ import annotations

from case import (
    ACCEPT,
    CONNECT,
    ECHO,
    FAIL,
    LEAVE,
    RECEIVE,
    RESET,
    STAYS,
    UNTIL_LEFT,
    Answers,
    Case,
    Finish,
    Pause,
    Recorded,
    frames,
    handshake,
    send,
)
from wire import BINARY, CLOSE, PING, PONG, TEXT, close_payload

BYE = frames((CLOSE, close_payload(1000)))
IMPATIENT = ("--no-server-name", "--websocket_connect_timeout", "1")
HELLO = frames((TEXT, "hello"))
OPEN = [handshake(), Answers(1)]


def opening(name: str, *arguments: str | bytes, **options: object) -> Case:
    """A handshake that is accepted, a message back and forth, and a close."""
    taken = {key: options.pop(key) for key in ("flags",) if key in options}
    client = [handshake(*arguments, **options), Answers(1), frames((TEXT, "hi")), Answers(2), BYE]  # type: ignore[arg-type]
    return Case(name, client, ECHO, **taken)  # type: ignore[arg-type]


def refused(name: str, *arguments: str | bytes, **options: object) -> Case:
    """A handshake that doesn't reach the application."""
    taken = {key: options.pop(key) for key in ("flags",) if key in options}
    return Case(name, [handshake(*arguments, **options)], ECHO, **taken)  # type: ignore[arg-type]


HANDSHAKES = [
    opening("handshake"),
    opening("handshake with a query", "/ws/room%20one/?token=a%2Fb"),
    opening("handshake with parameters", "/echo;p=1/a;q=2"),
    opening("handshake with a double slash", "//evil/echo"),
    opening("handshake with UTF-8", "/caf%C3%A9"),
    opening("handshake with cookies", "/", "Cookie: sessionid=1; csrftoken=2"),
    opening("handshake with an origin", "/", "Origin: https://site.test"),
    opening("handshake with a null origin", "/", "Origin: null"),
    opening("handshake with fields of one name", "/", "X-A: 1", "X-B: 2", "X-A: 3"),
    opening("handshake with an underscore", "/", "X_A: 1"),
    opening(
        "handshake in upper case", upgrade="UPGRADE: WebSocket", connection="connection: upgrade"
    ),
    opening("handshake with keep-alive", connection="Connection: keep-alive, Upgrade"),
    opening("handshake of version 8", version="Sec-WebSocket-Version: 8"),
    opening("handshake below a root path", "/ws", flags=("--root-path", "/app")),
    opening("handshake with one subprotocol", "/", "Sec-WebSocket-Protocol: chat"),
    opening("handshake with subprotocols", "/", "Sec-WebSocket-Protocol: chat, superchat"),
    opening("handshake with compression", "/", "Sec-WebSocket-Extensions: permessage-deflate"),
    opening("handshake with an unknown extension", "/", "Sec-WebSocket-Extensions: x-nothing"),
    opening(
        "handshake behind a proxy",
        "/",
        "X-Forwarded-For: 203.0.113.7",
        "X-Forwarded-Port: 99",
        flags=("--proxy-headers",),
    ),
    opening(
        "handshake behind a proxy with TLS",
        "/",
        "X-Forwarded-For: 203.0.113.7",
        "X-Forwarded-Proto: https",
        flags=("--proxy-headers",),
    ),
    opening("handshake without a name for the server", flags=IMPATIENT),
    refused("no key", key=""),
    refused("key that is too short", key="Sec-WebSocket-Key: c2hvcnQ="),
    refused("key that is no base64", key="Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!=="),
    refused("two keys", "/", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
    refused("no version", version=""),
    refused("version 99", version="Sec-WebSocket-Version: 99"),
    refused("version 7", version="Sec-WebSocket-Version: 7"),
    Case("no Connection", [handshake(connection="")], ECHO, finish=STAYS),
    refused("no Host", host=False),
    refused("handshake with POST", method="POST"),
    Case(
        "handshake in HTTP/1.0", [handshake().replace(b"HTTP/1.1", b"HTTP/1.0")], ECHO, finish=STAYS
    ),
    refused("subprotocol twice", "/", "Sec-WebSocket-Protocol: chat, chat"),
    Case(
        "Upgrade with other things",
        [handshake(upgrade="Upgrade: websocket, h2c")],
        ECHO,
        finish=STAYS,
    ),
]


def answered(name: str, *steps: tuple[object, ...], **options: object) -> Case:
    """What a handshake gets when the application does this with it."""
    fields, frames_back = options.pop("fields", ()), options.pop("frames_back", 0)
    client = [handshake("/", *fields)]
    if frames_back:  # and then the client answers the close frame among them
        client += [Answers(1 + frames_back), BYE]
    return Case(name, client, [CONNECT, *steps], **options)  # type: ignore[arg-type,misc]


START = {"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-a", b"1")]}
END = {"type": "websocket.http.response.body", "body": b"no"}
CHAT = ("Sec-WebSocket-Protocol: chat, superchat",)

ANSWERS = [
    answered("refused", send(type="websocket.close"), UNTIL_LEFT),
    answered("refused with a code", send(type="websocket.close", code=4003), UNTIL_LEFT),
    answered("refused and returned", send(type="websocket.close")),
    answered("denied with a response", ("send", START), ("send", END), finish=STAYS),
    answered(
        "accepted with a subprotocol",
        send(type="websocket.accept", subprotocol="superchat"),
        send(type="websocket.close"),
        fields=CHAT,
        frames_back=1,
    ),
    answered(
        "accepted with a subprotocol of None",
        send(type="websocket.accept", subprotocol=None),
        send(type="websocket.close"),
        fields=CHAT,
        frames_back=1,
    ),
    answered(
        "accepted with a subprotocol nobody offered",
        send(type="websocket.accept", subprotocol="other"),
        send(type="websocket.close"),
        UNTIL_LEFT,
        flags=IMPATIENT,
    ),
    answered(
        "accepted with fields",
        send(type="websocket.accept", headers=[(b"x-a", b"1")]),
        send(type="websocket.close"),
        frames_back=1,
    ),
    answered("accepted twice", ACCEPT, ACCEPT, send(type="websocket.close"), frames_back=1),
    answered(
        "sends before it accepts",
        send(type="websocket.send", text="early"),
        ACCEPT,
        send(type="websocket.close"),
        frames_back=1,
    ),
    answered(
        "accepts and sends at once",
        ACCEPT,
        send(type="websocket.send", text="hello"),
        send(type="websocket.close"),
        frames_back=2,
    ),
    answered("raises before it accepts", FAIL),
    answered("raises after it accepted", ACCEPT, FAIL, frames_back=1),
    answered("returns before it accepts", flags=IMPATIENT),
    answered("returns after it accepted", ACCEPT, finish=STAYS),
    answered("doesn't answer in time", ("sleep", 1.6), flags=IMPATIENT),
    answered(
        "unknown type on a WebSocket",
        ACCEPT,
        send(type="websocket.nonsense"),
        send(type="websocket.close"),
        frames_back=1,
    ),
    answered(
        "HTTP's type",
        ACCEPT,
        send(type="http.response.start", status=200),
        send(type="websocket.close"),
        frames_back=1,
    ),
    answered(
        "no type on a WebSocket",
        ACCEPT,
        send(text="x"),
        send(type="websocket.close"),
        frames_back=1,
    ),
]


def talk(name: str, sent: bytes, count: int, *steps: tuple[object, ...], **options: object) -> Case:
    """Frames to an echo, or to these steps; `count` come back; then the client closes."""
    app = [CONNECT, ACCEPT, *steps] if steps else ECHO
    return Case(name, [*OPEN, sent, Answers(1 + count), BYE], app, **options)  # type: ignore[arg-type]


def answered(name: str, *steps: tuple[object, ...]) -> Case:
    """After a text the application says this; once a frame of it came, the client closes."""
    return talk(name, frames((TEXT, "x")), 1, RECEIVE, *steps, UNTIL_LEFT)


def cont(content: bytes, fin: bool) -> tuple[object, ...]:
    return (0, content, {"fin": fin})


def says(**message: object) -> tuple[object, ...]:
    return send(type="websocket.send", **message)


MESSAGES = [
    talk("text", frames((TEXT, "hello")), 1),
    talk("text of every length of UTF-8", frames((TEXT, "aé€😀")), 1),
    talk("binary", frames((BINARY, bytes(range(256)))), 1),
    talk("125 bytes", frames((TEXT, "x" * 125)), 1),
    talk("126 bytes", frames((TEXT, "x" * 126)), 1),
    talk("65,535 bytes", frames((BINARY, b"x" * 65535)), 1),
    talk("65,536 bytes", frames((BINARY, b"x" * 65536)), 1),
    talk("500,000 bytes", frames((BINARY, b"x" * 500_000)), 1),
    talk("three messages at once", frames((TEXT, "a"), (BINARY, b"b"), (TEXT, "c")), 3),
    talk(
        "fragments of text",
        frames((TEXT, b"ab", {"fin": False}), cont(b"cd", False), cont(b"ef", True)),
        1,
    ),
    talk("fragments of binary", frames((BINARY, b"ab", {"fin": False}), cont(b"cd", True)), 1),
    talk(
        "fragments that split a character",
        frames((TEXT, b"\xe2\x82", {"fin": False}), cont(b"\xac", True)),
        1,
    ),
    talk(
        "empty fragments",
        frames((TEXT, b"", {"fin": False}), cont(b"ab", False), cont(b"", True)),
        1,
    ),
    talk("empty text", frames((TEXT, "")), 1, RECEIVE, says(text="got it"), UNTIL_LEFT),
    talk("empty binary", frames((BINARY, b"")), 1, RECEIVE, says(text="got it"), UNTIL_LEFT),
    answered("empty text back", says(text=""), says(text="end")),
    answered("empty binary back", says(bytes=b""), says(text="end")),
    talk("ping", frames((PING, b"are you there")), 1),
    talk("empty ping", frames((PING,)), 1),
    talk("ping of 125 bytes", frames((PING, b"p" * 125)), 1),
    talk(
        "ping between fragments",
        frames((TEXT, b"ab", {"fin": False}), (PING, b"!"), cont(b"cd", True)),
        2,
    ),
    talk("pong that nobody asked for", frames((PONG, b"here"), (TEXT, "x")), 1),
    answered("text with None beside", says(text="t", bytes=None)),
    answered("bytes with None beside", says(bytes=b"b", text=None)),
    answered("text and bytes", says(text="t", bytes=b"b"), says(text="end")),
    answered("neither text nor bytes", says(), says(text="end")),
    Case("frame in pieces", [*OPEN, HELLO[:4], Pause(0.05), HELLO[4:], Answers(2), BYE], ECHO),
    Case("half a frame", [*OPEN, HELLO[:4], Pause(0.05)], ECHO, finish=LEAVE),
]


def closes(name: str, *parts: tuple[object, ...], **options: object) -> Case:
    """What a client's frames do that end the connection."""
    return Case(name, [*OPEN, frames(*parts)], ECHO, **options)  # type: ignore[arg-type]


CLOSES = [
    *(
        closes(f"close {code}", (CLOSE, close_payload(code)))
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    ),
    closes("close 1000 with a reason", (CLOSE, close_payload(1000, "bye bye"))),
    closes("close 4000 with a reason in UTF-8", (CLOSE, close_payload(4000, "schön"))),
    closes("close without a code", (CLOSE, b"")),
    closes("close 999", (CLOSE, close_payload(999))),
    closes("close 1004", (CLOSE, close_payload(1004))),
    closes("close 1005", (CLOSE, close_payload(1005))),
    closes("close 1006", (CLOSE, close_payload(1006))),
    closes("close 2000", (CLOSE, close_payload(2000))),
    closes("close with one byte", (CLOSE, b"\x03")),
    closes("close with a reason that is no UTF-8", (CLOSE, b"\x03\xe8\xff")),
    closes("message after a close", (CLOSE, close_payload(1000)), (TEXT, "late")),
    closes("message and close at once", (TEXT, "last"), (CLOSE, close_payload(1000))),
    closes("frame without a mask", (TEXT, "x", {"mask": False})),
    closes("text that is no UTF-8", (TEXT, b"\xff\xfe")),
    closes("text that ends in a character", (TEXT, b"\xe2\x82")),
    closes("surrogates in UTF-8", (TEXT, b"\xed\xa0\x80")),
    closes("reserved opcode", (3, b"x")),
    closes("reserved control opcode", (11, b"x")),
    closes("reserved bit", (TEXT, b"x", {"rsv": 4})),
    closes("ping in fragments", (PING, b"x", {"fin": False})),
    closes("ping of 126 bytes", (PING, b"x" * 126)),
    closes("continuation of nothing", (0, b"x")),
    closes("message within a message", (TEXT, b"a", {"fin": False}), (TEXT, b"b")),
    closes("a message of 2 MiB", (BINARY, b"x" * (2 << 20))),
    Case("the client vanishes", OPEN, ECHO, finish=LEAVE),
    Case("the client resets", OPEN, ECHO, finish=RESET),
    Case(
        "the client leaves before the answer",
        [handshake(), Recorded(1)],
        [CONNECT, UNTIL_LEFT],
        finish=LEAVE,
    ),
    Case(
        "the application sends on a WebSocket that is gone",
        OPEN,
        [CONNECT, ACCEPT, UNTIL_LEFT, says(text="late"), send(type="websocket.close")],
        finish=LEAVE,
    ),
]


def ends(name: str, valid: bool = True, **message: object) -> Case:
    """The application closes, and the client answers."""
    client = [handshake(), Answers(2 if valid else 1), BYE]
    close = send(type="websocket.close", **message)
    return Case(name, client, [CONNECT, ACCEPT, close, UNTIL_LEFT])


SERVER_CLOSES = [
    ends("application closes"),
    ends("application closes with 1000", code=1000),
    ends("application closes with 1001", False, code=1001),
    ends("application closes with 1011", False, code=1011),
    ends("application closes with 3000", code=3000),
    ends("application closes with 4999", code=4999),
    ends("application closes with None", code=None),
    ends("application closes with a reason", code=4000, reason="enough"),
    ends("application closes with 999", False, code=999),
    ends("application closes with 5000", False, code=5000),
    Case(
        "application closes and the client doesn't answer",
        [handshake(), Answers(2)],
        [CONNECT, ACCEPT, send(type="websocket.close"), UNTIL_LEFT],
        Finish("read", 1.5),
    ),
    Case(
        "application sends after its close",
        [handshake(), Answers(2), BYE],
        [CONNECT, ACCEPT, send(type="websocket.close"), says(text="late"), UNTIL_LEFT],
    ),
    Case(
        "a pair of closes",
        [handshake(), Answers(2), BYE],
        [CONNECT, ACCEPT, send(type="websocket.close"), send(type="websocket.close"), UNTIL_LEFT],
    ),
]

CASES = [*HANDSHAKES, *ANSWERS, *MESSAGES, *CLOSES, *SERVER_CLOSES]
