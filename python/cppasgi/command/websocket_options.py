"""The flags about WebSockets: their limits, their time-outs, and their compression."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable

from cppasgi.command.process_options import Serve
from cppasgi.settings.values import number, time_limit, time_limit_or_none


def add_websocket_options(parser: ArgumentParser, serve: Serve) -> None:
    """Adds the groups "WebSocket" and "WebSocket compression"."""
    _add_websocket(parser, serve)
    _add_compression(parser, serve)


def _add_websocket(parser: ArgumentParser, serve: Serve) -> None:
    group = parser.add_argument_group("WebSocket")

    def time(
        name: str, default: float, text: str, values: Callable[[str], float] = time_limit
    ) -> None:
        serve(group, name, type=values, default=default, metavar="SECONDS", help=text)

    def limit(name: str, default: float, text: str) -> None:
        time(name, default, f"{text}; 0 is no limit")

    def size(name: str, least: int, default: int, text: str) -> None:
        text += "; 0 is no limit" if least == 0 else ""
        serve(group, name, type=number(least), default=default, metavar="N", help=text)

    time(
        "--websocket_connect_timeout",
        5,
        "limit for the application's answer to a handshake; -1 is none",
        time_limit_or_none,
    )
    time(
        "--websocket_timeout",
        86400,
        "age of a WebSocket: close 1000; -1 is no limit",
        time_limit_or_none,
    )
    limit("--timeout-websocket-idle", 0, "time without a message either way: close 1000")
    limit("--timeout-websocket-close", 5, "time for the client's answer to a close frame")
    limit("--timeout-websocket-message", 60, "time for each 16 KiB of a message in parts: 1008")
    size("--websocket-max-message-size", 0, 1 << 20, "longest message of a client: close 1009")
    size("--websocket-max-frame-size", 0, 1 << 20, "longest frame of a client: close 1009")
    size("--limit-websocket-queue", 1, 1024, "messages not yet received: then no more are read")
    size("--limit-websocket-unsent", 1, 16384, "bytes that may wait for a client to read on")
    size("--limit-websocket-unfinished", 0, 1 << 26, "bytes of all messages in parts: close 1013")
    serve(
        group,
        "--websocket-slow-reader",
        choices=("wait", "drop"),
        default="wait",
        help="beyond that, send() waits or the client is closed with 1013",
    )
    time("--ping-interval", 20, "quiet time before a WebSocket is pinged; 0 sends no pings")
    time("--ping-timeout", 30, "drop a WebSocket whose ping stays unanswered so long")


def _add_compression(parser: ArgumentParser, serve: Serve) -> None:
    group = parser.add_argument_group("WebSocket compression (permessage-deflate)")
    serve(
        group,
        "--ws-deflate",
        choices=("off", "shared", "dedicated"),
        default="shared",
        help="compress messages each by itself, or knowing the connection's earlier ones",
    )

    def add(name: str, values: Callable[[str], int], default: int, text: str) -> None:
        serve(group, name, type=values, default=default, metavar="N", help=text)

    add("--ws-deflate-level", number(1, 9), 1, "zlib's compression level, 1 to 9")
    add("--ws-deflate-window-bits", number(9, 15), 13, "zlib's window, as a power of two")
    add("--ws-deflate-memory-level", number(1, 9), 5, "zlib's memory level, 1 to 9")
    add("--ws-deflate-threshold", number(1), 256, "bytes from which on a message is compressed")
    add("--ws-deflate-memory", number(0), 1 << 26, "bytes of all dedicated streams together")
