"""Functions that take one difference each out of the outcomes of Daphne and of cppasgi.

They change what they are given, as little as the difference needs, and assert what it promises.
"""

from __future__ import annotations

from typing import Any

from seen import Outcome


def _scopes(outcome: Outcome, kind: str = "") -> list[dict[str, Any]]:
    scopes = [call[0][1] for call in outcome.calls]
    return [scope for scope in scopes if not kind or scope["type"] == kind]


def _events(outcome: Outcome) -> list[Any]:
    return [value for call in outcome.calls for kind, value in call if kind == "event"]


def date(daphne: Outcome, cppasgi: Outcome) -> None:
    for theirs, ours in zip(daphne.answers, cppasgi.answers, strict=False):
        if theirs.value(b"date") is None:
            ours.fields = [line for line in ours.fields if not line.startswith(b"date: ")]


def server(daphne: Outcome, cppasgi: Outcome) -> None:
    for answer in cppasgi.answers:
        answer.fields = [
            b"server: daphne" if line == b"server: cppasgi" else line for line in answer.fields
        ]


def names(daphne: Outcome, cppasgi: Outcome) -> None:
    def name(line: bytes) -> bytes:
        return line.partition(b":")[0].lower()

    for answer in daphne.answers + cppasgi.answers:
        lower = [name(line) + line[len(name(line)) :] for line in answer.fields]
        answer.fields = sorted(lower, key=name)


def handshake(daphne: Outcome, cppasgi: Outcome) -> None:
    for answer in daphne.answers:
        if answer.status == 101:
            fields = [line for line in answer.fields if line.lower() != b"server: daphne"]
            answer.fields = [line.replace(b"WebSocket", b"websocket", 1) for line in fields]


def scope_keys(daphne: Outcome, cppasgi: Outcome) -> None:
    for scope in _scopes(cppasgi):
        version = "2.5" if scope["type"] == "websocket" else "2.3"
        assert scope["asgi"].pop("spec_version", None) == version
        del scope["extensions"]


def state(daphne: Outcome, cppasgi: Outcome) -> None:
    for scope in _scopes(cppasgi):
        assert scope.pop("state", None) == {}


def addresses(daphne: Outcome, cppasgi: Outcome) -> None:
    for scope in _scopes(cppasgi):
        for key in ("client", "server"):
            assert isinstance(scope[key], tuple)
            scope[key] = list(scope[key])


def websocket_scope(daphne: Outcome, cppasgi: Outcome) -> None:
    for scope in _scopes(cppasgi, "websocket"):
        assert scope.pop("http_version") == "1.1"
        assert scope.pop("scheme") in ("ws", "wss")


def reason(daphne: Outcome, cppasgi: Outcome) -> None:
    for event in _events(cppasgi):
        if event["type"] == "websocket.disconnect":
            assert isinstance(event.pop("reason"), str)


def uploads(daphne: Outcome, cppasgi: Outcome) -> None:
    """Content as one event, however it was divided."""
    for outcome in (daphne, cppasgi):
        for number, call in enumerate(outcome.calls):
            joined: list[tuple[str, Any]] = []
            for kind, value in call:
                last = joined[-1] if joined else ("", None)
                follows = kind == "event" and value["type"] == "http.request"
                if follows and last[0] == "event" and last[1].get("more_body"):
                    value = {**value, "body": last[1]["body"] + value["body"]}
                    joined.pop()
                joined.append((kind, value))
            outcome.calls[number] = joined


def pages(daphne: Outcome, cppasgi: Outcome) -> None:
    """Of a refusal only the status counts: Daphne sends HTML or nothing, cppasgi one line."""
    for outcome in (daphne, cppasgi):
        for answer in outcome.answers:
            if answer.status >= 400:
                answer.line, answer.fields, answer.content = answer.line[:12], [], []


def grouped(daphne: Outcome, cppasgi: Outcome) -> None:
    for scope in _scopes(cppasgi, "http"):
        names = list(dict.fromkeys(name for name, _ in scope["headers"]))
        scope["headers"].sort(key=lambda field: names.index(field[0]))


def joined(daphne: Outcome, cppasgi: Outcome) -> None:
    for scope in _scopes(cppasgi, "websocket"):
        fields: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            fields[name] = fields[name] + b"," + value if name in fields else value
        scope["headers"] = list(fields.items())


def version(daphne: Outcome, cppasgi: Outcome) -> None:
    """cppasgi says HTTP/1.1 and, so that no one waits, that it will close."""
    for theirs, ours in zip(daphne.answers, cppasgi.answers, strict=False):
        theirs.line = theirs.line.replace(b"HTTP/1.0", b"HTTP/1.1")
        ours.fields = [line for line in ours.fields if line != b"connection: close"]


def close_code(daphne: Outcome, cppasgi: Outcome) -> None:
    """Daphne's close frame always has 1000."""
    for one in daphne.frames + cppasgi.frames:
        if one.is_close:
            one.payload = b""


def no_code(daphne: Outcome, cppasgi: Outcome) -> None:
    for event in _events(daphne):
        if event["type"] == "websocket.disconnect" and event["code"] is None:
            event["code"] = 1005


def framing(daphne: Outcome, cppasgi: Outcome) -> None:
    """Of content that comes in one message, cppasgi knows and tells the length."""
    for theirs, ours in zip(daphne.answers, cppasgi.answers, strict=False):
        length = len(b"".join(theirs.content))
        if theirs.value(b"content-length") is None and ours.whole:
            ours.fields.remove(b"content-length: %d" % length)
            theirs.fields = [
                line for line in theirs.fields if line.lower() != b"transfer-encoding: chunked"
            ]
            theirs.content = [b"".join(theirs.content)]
            theirs.whole = True


def coding(daphne: Outcome, cppasgi: Outcome) -> None:
    for answer in daphne.answers:
        answer.fields.remove(b"transfer-encoding: gzip")


def reason_phrase(daphne: Outcome, cppasgi: Outcome) -> None:
    for answer in daphne.answers + cppasgi.answers:
        answer.line = answer.line[:12]


def absolute(daphne: Outcome, cppasgi: Outcome) -> None:
    for scope in _scopes(daphne):
        scope["path"] = scope["path"].removeprefix("http://site.test")
        scope["raw_path"] = scope["raw_path"].removeprefix(b"http://site.test")


def websocket_path(daphne: Outcome, cppasgi: Outcome) -> None:
    for theirs, ours in zip(_scopes(daphne), _scopes(cppasgi), strict=True):
        assert theirs["path"].encode() in ours["raw_path"]
        theirs["path"], theirs["raw_path"] = ours["path"], ours["raw_path"]


def root_path_field(daphne: Outcome, cppasgi: Outcome) -> None:
    for theirs, ours in zip(_scopes(daphne), _scopes(cppasgi), strict=True):
        ours["headers"].remove((b"daphne-root-path", theirs["root_path"].encode()))
        theirs["root_path"] = ""


def deflate(daphne: Outcome, cppasgi: Outcome) -> None:
    for answer in cppasgi.answers:
        start = b"sec-websocket-extensions: permessage-deflate"
        answer.fields = [line for line in answer.fields if not line.lower().startswith(start)]


def accept_fields(daphne: Outcome, cppasgi: Outcome) -> None:
    for answer in cppasgi.answers:
        answer.fields.remove(b"x-a: 1")


def close_reason(daphne: Outcome, cppasgi: Outcome) -> None:
    for one in cppasgi.frames:
        if one.is_close:
            one.payload = one.payload[:2]


def first_address(daphne: Outcome, cppasgi: Outcome) -> None:
    for theirs, ours in zip(_scopes(daphne), _scopes(cppasgi), strict=True):
        assert theirs["client"][0] == "198.51.100.1"
        assert ours["client"][0] == "203.0.113.7"
        ours["client"] = theirs["client"]


def protocol_error(daphne: Outcome, cppasgi: Outcome) -> None:
    """cppasgi says what was wrong before it drops the connection."""
    last = cppasgi.frames.pop()
    assert last.is_close
    assert int.from_bytes(last.payload[:2], "big") in (1002, 1007, 1009)


def close_of_returned(daphne: Outcome, cppasgi: Outcome) -> None:
    assert cppasgi.frames.pop().payload == b"\x03\xe8"


def empty_message(daphne: Outcome, cppasgi: Outcome) -> None:
    assert cppasgi.frames.pop(0).payload == b""


def client_left(daphne: Outcome, cppasgi: Outcome) -> None:
    _without(cppasgi, "OSError")


def error_kind(daphne: Outcome, cppasgi: Outcome) -> None:
    """Where Daphne raises what it happens to, or nothing, cppasgi raises ValueError."""
    for kind in ("KeyError", "AttributeError", "Exception", "Disconnected"):
        _without(daphne, kind)
    _without(cppasgi, "ValueError")


def _without(outcome: Outcome, error: str) -> None:
    for call in outcome.calls:
        call[:] = [one for one in call if one[0] != "raised" or not one[1].startswith(error + ":")]
