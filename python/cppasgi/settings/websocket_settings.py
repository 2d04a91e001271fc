"""The settings of a server that are about WebSockets: limits, times, and compression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cppasgi.settings.setting import (
    DEFLATE,
    SECONDS,
    SECONDS_OR_NONE,
    WEBSOCKET,
    choice,
    setting,
    whole,
)

DeflateMode = Literal["off", "shared", "dedicated"]
SlowReader = Literal["wait", "drop"]


@dataclass(eq=False, repr=False, kw_only=True)
class WebSocketSettings:
    """Part of `cppasgi.settings.server_settings.ServerSettings`."""

    websocket_connect_timeout: float = setting(
        5,
        SECONDS_OR_NONE,
        WEBSOCKET,
        "limit for the application's answer to a handshake; -1 is none",
        flags="--websocket_connect_timeout --websocket-connect-timeout",
        native="websocket_handshake_timeout",
    )
    websocket_timeout: float = setting(
        86400,
        SECONDS_OR_NONE,
        WEBSOCKET,
        "age of a WebSocket: close 1000; -1 is no limit",
        flags="--websocket_timeout --websocket-timeout",
        native="websocket_age_timeout",
    )
    timeout_websocket_idle: float = setting(
        0,
        SECONDS,
        WEBSOCKET,
        "time without a message either way: close 1000; 0 is no limit",
        native="websocket_idle_timeout",
    )
    timeout_websocket_close: float = setting(
        5,
        SECONDS,
        WEBSOCKET,
        "time for the client's answer to a close frame; 0 is no limit",
        native="websocket_close_timeout",
    )
    timeout_websocket_message: float = setting(
        60,
        SECONDS,
        WEBSOCKET,
        "time for each 16 KiB of a message in parts: 1008; 0 is no limit",
        native="websocket_message_timeout",
    )
    websocket_max_message_size: int = setting(
        1 << 20,
        whole("BYTES", 0),
        WEBSOCKET,
        "longest message of a client: close 1009; 0 is no limit",
        native="max_message_bytes",
    )
    websocket_max_frame_size: int = setting(
        1 << 20,
        whole("BYTES", 0),
        WEBSOCKET,
        "longest frame of a client: close 1009; 0 is no limit",
        native="max_frame_bytes",
    )
    limit_websocket_queue: int = setting(
        1024,
        whole("N", 1),
        WEBSOCKET,
        "messages not yet received: then no more are read",
        native="max_queued_messages",
    )
    limit_websocket_unsent: int = setting(
        16384,
        whole("BYTES", 1),
        WEBSOCKET,
        "bytes that may wait for a client to read on",
        native="max_unsent_bytes",
    )
    limit_websocket_unfinished: int = setting(
        1 << 26,
        whole("BYTES", 0),
        WEBSOCKET,
        "bytes of all messages in parts: close 1013; 0 is no limit",
        native="max_unfinished_bytes",
    )
    websocket_slow_reader: SlowReader = setting(
        "wait",
        choice("wait", "drop")._replace(native="drop".__eq__),
        WEBSOCKET,
        "beyond --limit-websocket-unsent, send() waits or the client is closed with 1013",
        native="drops_slow_readers",
    )
    ping_interval: float = setting(
        20,
        SECONDS,
        WEBSOCKET,
        "quiet time before a WebSocket is pinged; 0 sends no pings",
        native="ping_interval",
    )
    ping_timeout: float = setting(
        30,
        SECONDS,
        WEBSOCKET,
        "drop a WebSocket whose ping stays unanswered so long; 0 is never",
        native="ping_timeout",
    )
    ws_deflate: DeflateMode = setting(
        "shared",
        choice("off", "shared", "dedicated"),
        DEFLATE,
        "compress messages each by itself, or knowing the connection's earlier ones",
        native="deflate_mode",
    )
    ws_deflate_level: int = setting(
        1, whole("N", 1, 9), DEFLATE, "zlib's compression level, 1 to 9", native="deflate_level"
    )
    ws_deflate_window_bits: int = setting(
        13,
        whole("N", 9, 15),
        DEFLATE,
        "zlib's window, as a power of two",
        native="deflate_window_bits",
    )
    ws_deflate_memory_level: int = setting(
        5, whole("N", 1, 9), DEFLATE, "zlib's memory level, 1 to 9", native="deflate_memory_level"
    )
    ws_deflate_threshold: int = setting(
        256,
        whole("BYTES", 1),
        DEFLATE,
        "bytes from which on a message is compressed",
        native="deflate_min_bytes",
    )
    ws_deflate_memory: int = setting(
        1 << 26,
        whole("BYTES", 0),
        DEFLATE,
        "bytes of all dedicated streams together",
        native="deflate_max_memory_bytes",
    )
