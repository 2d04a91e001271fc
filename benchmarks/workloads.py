"""The rows of the table: which application is served, what loads it, and how low cppasgi aims."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Literal

from loads import Http, WebSocket
from servers import APPS

sys.path.insert(0, str(APPS))
import hello


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    Attributes:
        name: What ``--workloads`` calls it.
        title: What the table calls it.
        aim: The most that cppasgi may take of the best rival's figure.
        load: What loads the server; None where nothing does (memory, start).
        application: Module and attribute in ``apps/`` that is served.
        unit: CPU microseconds per request, KiB of memory per idle WebSocket, or milliseconds from
            the start to the first 200.
    """

    name: str
    title: str
    aim: float
    load: Http | WebSocket | None = None
    application: str = "hello:application"
    unit: Literal["us", "KiB", "ms"] = "us"

    @property
    def is_plain(self) -> bool:
        """Whether it loads the plain ASGI application, which the floors can answer for."""
        return self.application == "hello:application" and self.load is not None


HELLO = hello.HELLO
CHANNELS = "channels_app:application"
CHANNELS_REDIS = "channels_redis_app:application"
FASTAPI = "fastapi_app:application"
DJANGO = "django_app:application"
ECHO_1K = b"0123456789abcdef" * 64
STREAM = hello.STREAM_CHUNK * hello.STREAM_CHUNKS
UPLOAD = 10 * 1024 * 1024

_ROWS = (
    Workload("hello", "HTTP hello, 64 keep-alive connections", 0.85, Http("/", HELLO)),
    Workload("hello-1", "HTTP hello, 1 connection", 0.9, Http("/", HELLO, connections=1)),
    Workload(
        "hello-pipelined",
        "HTTP hello, 64 connections, 16 requests pipelined",
        0.6,
        Http("/", HELLO, pipelined=16),
    ),
    Workload(
        "hello-close", "HTTP hello, connection per request", 0.95, Http("/", HELLO, close=True)
    ),
    Workload(
        "post", "POST 1 KiB, echoed", 0.9, Http("/echo", ECHO_1K, method="POST", body_bytes=1024)
    ),
    Workload("json", "JSON answer", 0.9, Http("/json", json.dumps(hello.DOCUMENT).encode())),
    Workload("stream", "stream of 100 chunks of 1 KiB", 0.8, Http("/stream", STREAM)),
    Workload(
        "large", "1 MiB response in one body", 0.85, Http("/large", hello.LARGE, connections=8)
    ),
    Workload(
        "upload",
        "10 MiB upload",
        0.8,
        Http("/upload", str(UPLOAD).encode(), method="POST", body_bytes=UPLOAD, connections=4),
    ),
    Workload("ws", "WebSocket echo 64 B, 64 connections", 0.85, WebSocket(size=64)),
    Workload("ws-1", "WebSocket echo 64 B, 1 connection", 0.85, WebSocket(size=64, connections=1)),
    Workload(
        "ws-in-flight",
        "WebSocket echo 64 B, 16 connections, 16 in flight",
        1.0,
        WebSocket(size=64, connections=16, in_flight=16),
    ),
    Workload("ws-16k", "WebSocket echo 16 KiB, binary", 0.85, WebSocket(size=16384, type="binary")),
    Workload("ws-16k-text", "WebSocket echo 16 KiB, text", 0.85, WebSocket(size=16384)),
    Workload(
        "ws-1m",
        "WebSocket echo 1 MB, binary, 4 connections",
        0.85,
        WebSocket(size=1_000_000, type="binary", connections=4),
    ),
    Workload(
        "ws-deflate",
        "WebSocket echo 1 KiB text, compressed",
        0.95,
        WebSocket(size=1024, deflate="yes"),
    ),
    Workload(
        "ws-deflate-alone",
        "WebSocket echo 1 KiB text, compressed, each message by itself",
        0.95,
        WebSocket(size=1024, deflate="alone"),
    ),
    Workload(
        "ws-open",
        "WebSocket opened and closed, 16 at a time",
        0.9,
        WebSocket(workload="open", connections=16),
    ),
    Workload(
        "ws-open-echo",
        "WebSocket opened, one echo, closed, 16 at a time",
        0.9,
        WebSocket(workload="open-echo", connections=16, size=64),
    ),
    Workload(
        "fanout",
        "fan-out, plain ASGI, 500 members, per delivery",
        0.9,
        WebSocket("/broadcast", workload="broadcast", connections=500),
    ),
    Workload(
        "fanout-deflate",
        "fan-out of 1 KiB, compressed, each message by itself, 500 members, per delivery",
        0.9,
        WebSocket("/broadcast", workload="broadcast", connections=500, size=1024, deflate="alone"),
    ),
    Workload("channels", "Channels consumer echo", 0.95, WebSocket("/echo"), CHANNELS),
    Workload("channels-json", "Channels JSON consumer echo", 0.95, WebSocket("/json"), CHANNELS),
    Workload(
        "channels-group",
        "Channels group in memory, 64 members, per delivery",
        0.95,
        WebSocket("/group", workload="broadcast"),
        CHANNELS,
    ),
    Workload(
        "channels-redis",
        "Channels group in Redis, 64 members, per delivery",
        0.95,
        WebSocket("/group", workload="broadcast"),
        CHANNELS_REDIS,
    ),
    Workload("fastapi", "FastAPI JSON", 0.97, Http("/", b'{"message":"Hello, world!"}'), FASTAPI),
    Workload("fastapi-ws", "FastAPI WebSocket echo", 0.9, WebSocket(), FASTAPI),
    Workload(
        "django",
        "Django async view, complete middleware",
        1.0,
        Http("/", HELLO, connections=16),
        DJANGO,
    ),
    Workload("idle", "RSS per idle WebSocket, KiB", 0.85, unit="KiB"),
    Workload("start", "start to first 200, ms", 0.95, unit="ms"),
)
WORKLOADS = {workload.name: workload for workload in _ROWS}
