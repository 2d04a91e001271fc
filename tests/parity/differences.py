"""Every difference between Daphne and cppasgi that is accepted, and the row that tells of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import removals
from seen import Outcome


@dataclass(frozen=True)
class Difference:
    """An accepted difference.

    `row` is the first cell of its row in docs/migrating-from-daphne.md. `remove` takes it out of
    copies of Daphne's and of cppasgi's outcome: out of those of `cases`, each of which must show
    it, or out of all where `cases` is one string, which names a case that must show it. `pairs`
    are cases in which nothing is the same: name to what is expected of Daphne and of cppasgi, in
    the words of `Outcome.summary()`.
    """

    row: str
    remove: Callable[[Outcome, Outcome], None] | None = None
    cases: str | Sequence[str] = ()
    pairs: Mapping[str, tuple[str, str]] = field(default_factory=dict)


TAKEN = "200 closed | request end"
BAD = "400 closed"
ECHOED = "101 text close 1000 closed | connect receive disconnect 1000 end"
FAILED = "500 closed | request end"
CUT = "200 cut closed | request end"

PAGES = (
    *("raw UTF-8", "a byte of 0x80 in the path", "a byte of 0x80 in the query"),
    *("vertical tab", "form feed", "separators of ASCII", "NUL", "lone CR", "TLS on a plain port"),
    *("space before the colon", "name that is no token", "line without a colon", "empty name"),
    *("method that is no token", "two spaces in the line", "Content-Length with a sign"),
    *("Content-Length that is a word", "negative Content-Length", "two Content-Lengths"),
    *("the same Content-Length twice", "Content-Length and chunks", "unknown coding"),
    *("chunk size that is no number", "chunk longer than its size", "good and bad at once"),
    *("raises before the response", "raises before it reads", "name that is str"),
    *("value that is str", "no answer in time", "no key", "key that is too short"),
    *("key that is no base64", "two keys", "no Host", "handshake with POST", "subprotocol twice"),
    *("refused", "refused with a code", "refused and returned", "raises before it accepts"),
)

DIFFERENCES = {
    # in nearly every case
    "date": Difference("`Date` field of responses", removals.date, "method GET"),
    "server": Difference("`Server:` field", removals.server, "method GET"),
    "names": Difference("names of response fields", removals.names, "method GET"),
    "101": Difference("the 101 of a WebSocket", removals.handshake, "handshake"),
    "scope keys": Difference("scopes", removals.scope_keys, "method GET"),
    "addresses": Difference("scopes", removals.addresses, "method GET"),
    "state": Difference("lifespan", removals.state, "method GET"),
    "WebSocket scope": Difference("WebSocket scope", removals.websocket_scope, "handshake"),
    "reason": Difference(
        "`websocket.disconnect` after a close frame without a code", removals.reason, "handshake"
    ),
    "uploads": Difference("uploads", removals.uploads, "16384 bytes"),
    # requests
    "pages": Difference("answers of the server's own", removals.pages, PAGES),
    "absolute": Difference("the target `http://host/path`", removals.absolute, ["absolute form"]),
    "root path": Difference(
        "`Daphne-Root-Path`", removals.root_path_field, ["root path in a field"]
    ),
    "grouped": Difference("HTTP scope", removals.grouped, ["scattered fields of one name"]),
    "malformed": Difference(
        "heads that are malformed (RFC 9112, 9110)",
        pairs=dict.fromkeys(
            (
                *("fragment", "control character", "folded line", "folded line with a tab"),
                "two Host fields",
            ),
            (TAKEN, BAD),
        )
        | {"bare LF": ("open", BAD)},
    ),
    "no Host": Difference("HTTP/1.1 without `Host`", pairs={"no Host in HTTP/1.1": (TAKEN, BAD)}),
    "0x85": Difference("the byte 0x85 in a field", pairs={"next line of Latin-1": (BAD, TAKEN)}),
    "Expect": Difference(
        "an unknown `Expect`", pairs={"an Expect that is unknown": (TAKEN, "417 closed")}
    ),
    "methods": Difference(
        "unknown methods",
        pairs={
            "method of one's own": (TAKEN, "501 closed"),
            "lower-case method": (TAKEN, "501 closed"),
            "line of words": (BAD, "501 closed"),
        },
    ),
    "versions": Difference(
        "other versions of HTTP",
        pairs=dict.fromkeys(
            (
                *("line without a version", "HTTP/0.9", "HTTP/1.2", "HTTP/2.0"),
                "HTTP/2 by prior knowledge",
            ),
            (BAD, "505 closed"),
        ),
    ),
    "large heads": Difference(
        "too large heads",
        pairs={
            "a field of 20,000 bytes": ("closed", TAKEN),
            "600 fields": (BAD, "431 closed"),
            "a target of 20,000 bytes": ("closed", "414 closed"),
        },
    ),
    "unparsed uploads": Difference(
        "uploads",
        pairs={
            "several parts that aren't": (BAD, TAKEN),
            "several parts without a boundary": (BAD, TAKEN),
            "the client leaves in the middle of its content": (
                "left",
                "left | request disconnect end",
            ),
        },
    ),
    "keep-alive": Difference(
        "HTTP/1.0 with `Connection: keep-alive`",
        pairs={"HTTP/1.0 with keep-alive": (TAKEN, "200 open | request end")},
    ),
    "proxies": Difference("`--proxy-headers`", removals.first_address, ["two addresses"]),
    # responses
    "version": Difference(
        "the status line for an HTTP/1.0 client",
        removals.version,
        [
            *("no Host in HTTP/1.0", "HTTP/1.0", "HTTP/1.0 with content", "pieces for HTTP/1.0"),
            *("a length for HTTP/1.0", "no length for HTTP/1.0"),
        ],
    ),
    "reason phrases": Difference(
        "reason phrases",
        removals.reason_phrase,
        [f"status {status}" for status in (413, 418, 422, 425, 429, 431, 451, 504)],
    ),
    "framing": Difference(
        "a response without `Content-Length`",
        removals.framing,
        [
            *("no length", "no length and no content", "no fields at all", "no more_body"),
            *("no body key", "200,000 bytes", "no length for HTTP/1.0"),
            "a coding of the application's",
        ],
    ),
    "coding": Difference(
        "`Transfer-Encoding` from the application", removals.coding, ["a coding and a length"]
    ),
    "close": Difference(
        "`Connection: close` from the application",
        pairs={
            "Connection: close from the application": (
                "200 open | request end",
                "200 closed | request end",
            )
        },
    ),
    "content length": Difference(
        "bodies that don't fit their `Content-Length`",
        pairs={
            "more content than the length": (
                "200 stray bytes closed | request end",
                "500 closed | request raised ValueError end",
            ),
            "less content than the length": (
                "200 cut closed | request end",
                "500 closed | request raised ValueError end",
            ),
        },
    ),
    "line breaks": Difference(
        "a line break in the value of a field",
        pairs={
            "line break in a value": (
                TAKEN,
                "500 closed | request raised ValueError raised ValueError end",
            )
        },
    ),
    # failures
    "raises": Difference(
        "an application that raises after its response began",
        pairs={
            "raises after start": ("open | request end", FAILED),
            "raises in the middle": ("200 cut open | request end", CUT),
        },
    ),
    "raises early": Difference(
        "one that raises before its response",
        pairs={
            "raises before the response and on": (
                "500 500 closed | request end | request end",
                FAILED,
            )
        },
    ),
    "returns": Difference(
        "one that returns without a response",
        pairs={
            "returns without a response": ("open | request end", FAILED),
            "returns after start": ("open | request end", FAILED),
            "returns in the middle": ("200 cut open | request end", CUT),
        },
    ),
    "wrong messages": Difference(
        "a wrong message",
        removals.error_kind,
        [
            *("no type", "no type on a WebSocket", "unknown type on a WebSocket", "HTTP's type"),
            *("accepted twice", "neither text nor bytes"),
            *("application closes with 999", "application closes with 5000"),
        ],
        pairs={
            "no status": (
                "200 closed | request raised ValueError end",
                "500 closed | request raised ValueError raised ValueError end",
            )
        },
    ),
    "send": Difference(
        "`send()` after the client left",
        removals.client_left,
        [
            "the application sends on a WebSocket that is gone",
        ],
        pairs={
            "application sends after its close": (
                "101 close 1000 closed | connect raised Disconnected disconnect 1000 end",
                "101 close 1000 closed | connect raised OSError disconnect 1000 end",
            )
        },
    ),
    # WebSockets
    "joined": Difference("WebSocket scope", removals.joined, ["handshake with fields of one name"]),
    "path": Difference(
        "path of a WebSocket",
        removals.websocket_path,
        ["handshake with parameters", "handshake with a double slash"],
    ),
    "deflate": Difference("permessage-deflate", removals.deflate, ["handshake with compression"]),
    "accept fields": Difference(
        "`websocket.accept` with `headers`, `websocket.close` with `reason`, empty messages",
        removals.accept_fields,
        ["accepted with fields"],
    ),
    "close reason": Difference(
        "`websocket.accept` with `headers`, `websocket.close` with `reason`, empty messages",
        removals.close_reason,
        ["application closes with a reason"],
    ),
    "close code": Difference(
        "the answer to a client's close frame",
        removals.close_code,
        [
            f"close {code}"
            for code in (1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
        ]
        + ["close 4000 with a reason in UTF-8", "close without a code"],
    ),
    "no code": Difference(
        "`websocket.disconnect` after a close frame without a code",
        removals.no_code,
        ["close without a code"],
    ),
    "protocol errors": Difference(
        "WebSocket protocol errors",
        removals.protocol_error,
        [
            *(f"close {code}" for code in (999, 1004, 1005, 1006, 2000)),
            *("close with one byte", "close with a reason that is no UTF-8"),
            *("frame without a mask", "text that is no UTF-8", "text that ends in a character"),
            *("surrogates in UTF-8", "reserved opcode", "reserved control opcode", "reserved bit"),
            *("ping in fragments", "ping of 126 bytes", "continuation of nothing"),
            *("message within a message", "a message of 2 MiB"),
        ],
    ),
    "empty messages": Difference(
        "`websocket.accept` with `headers`, `websocket.close` with `reason`, empty messages",
        removals.empty_message,
        ["empty text back", "empty binary back"],
    ),
    "close codes": Difference(
        "close codes that an application may send",
        pairs={
            f"application closes with {code}": (
                "101 close 1000 closed | connect raised Exception disconnect 1000 end",
                f"101 close {code} closed | connect disconnect 1000 end",
            )
            for code in (1001, 1011)
        },
    ),
    "close time": Difference(
        "a client that doesn't answer a close frame",
        pairs={
            "application closes and the client doesn't answer": (
                "101 close 1000 closed | connect disconnect 1006 end",
                "101 close 1000 open | connect disconnect 1006 end",
            )
        },
    ),
    "returned": Difference(
        "a WebSocket application that returns",
        removals.close_of_returned,
        ["returns after it accepted"],
        pairs={
            "returns before it accepts": ("closed | connect end", "500 closed | connect end"),
        },
    ),
    "handshake time": Difference(
        "a handshake that isn't answered in time",
        pairs={
            "doesn't answer in time": ("closed | connect end", "503 closed | connect end"),
        },
    ),
    "denial": Difference(
        "`websocket.http.response.start`",
        pairs={"denied with a response": ("open | connect end", "401 closed | connect end")},
    ),
    "subprotocol": Difference(
        "a subprotocol that wasn't offered",
        pairs={
            "accepted with a subprotocol nobody offered": (
                "closed | connect raised AttributeError disconnect 1006 end",
                "403 closed | connect raised ValueError disconnect 1006 end",
            )
        },
    ),
    "WebSocket versions": Difference(
        "`Sec-WebSocket-Version`",
        pairs={
            "handshake of version 8": (ECHOED, "426 closed"),
            "no version": (BAD, "426 closed"),
            "version 99": ("400 cut closed", "426 closed"),
            "version 7": ("400 cut closed", "426 closed"),
        },
    ),
    "upgrade": Difference(
        "what is an opening handshake",
        pairs={
            "no Connection": (BAD, "open | request raised ValueError disconnect end"),
            "Upgrade with other things": (
                "open | request raised ValueError disconnect end",
                "101 open | connect disconnect 1006 end",
            ),
            "handshake in HTTP/1.0": (
                "101 open | connect disconnect 1006 end",
                "open | request raised ValueError disconnect end",
            ),
        },
    ),
}
