"""What a server is told: the arguments of `cppasgi.Server`, their defaults and meanings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal

from cppasgi.settings.stop_times import GRACEFUL_SECONDS

if TYPE_CHECKING:
    from _typeshed import HasFileno

    from cppasgi.settings.asgi import Application

LifespanMode = Literal["auto", "on", "off"]
LoopName = Literal["auto", "native", "asyncio", "uvloop"]
DeflateMode = Literal["off", "shared", "dedicated"]
SlowReader = Literal["wait", "drop"]


@dataclass(eq=False, repr=False)
class ServerSettings:
    """The settings of a server.

    Attributes:
        application: an ASGI 3 application.
        endpoints: where to listen, in the grammar of `cppasgi.settings.endpoints`, as with Daphne.
            A stale Unix socket is replaced, a live one never; a descriptor stays the caller's.
        host: address or name for TCP; default 127.0.0.1 unless only others are given.
        port: TCP port, default 8000; 0 takes a free one.
        unix_socket: path of a Unix socket.
        unix_socket_mode: permissions, such as 0o660, of that socket and of endpoints that are Unix
            sockets and have none; see `cppasgi.serving.unix_sockets.default_mode`.
        fd: descriptor of a bound stream socket.
        root_path: ``root_path`` of every scope.
        server_name: value of the ``Server`` header; empty sends none.
        headers: names and values of fields that every response gets which has none of that
            name; also the handshakes of WebSockets and the server's own answers.
        access_log: open file (or anything with a descriptor) for access log lines. It must
            stay open while the server runs.
        access_log_format: ``daphne``, ``combined``, ``json`` or a line with gunicorn's atoms,
            see docs/configuration.md.
        access_log_exclude: paths, percent-encoded as in requests, that get no line.
        lifespan: ``auto``, ``on`` or ``off``, see `cppasgi.serving.lifespan.Lifespan`.
        loop: event loop that `run()` makes: ``auto``, ``native``, ``asyncio`` or ``uvloop``.
        sendfile: whether the application is offered the extensions ``http.response.pathsend``
            and ``http.response.zerocopysend``, see docs/asgi_extensions.md.
        http_timeout: seconds the application has to start its response once the request is
            here, then it is answered with 503; 0 and infinity are no limit, here and below.
        timeout_request_header: seconds for a request's head, then 408.
        timeout_request_body: seconds between two pieces of a body, then 408.
        timeout_send: seconds in which a client must take some of what waits for it.
        timeout_keep_alive: seconds between two requests of a connection.
        limit_request_line: bytes of a request's target, then 414.
        limit_request_header: bytes of all its header fields, then 431.
        limit_request_fields: their number, then 431.
        limit_request_body: bytes of its body, then 413; 0 is no limit.
        limit_keep_alive_requests: requests of one connection; 0 is no limit.
        limit_concurrency: connections at a time, then 503. Less if the process may not open
            so many files.
        websocket_connect_timeout: seconds the application has to answer a WebSocket
            handshake; 0 or -1 is no limit.
        websocket_timeout: seconds a WebSocket may be open, then close 1000; 0 or -1 is no limit.
        websocket_max_message_size: bytes of a WebSocket message from a client, then close 1009;
            0 is no limit.
        websocket_max_frame_size: the same for one frame.
        timeout_websocket_idle: seconds without a message either way, then close 1000.
        timeout_websocket_close: seconds a client has to answer our close frame.
        timeout_websocket_message: seconds for each 16 KiB of a message that comes in parts, or
            for its rest, then close 1008.
        limit_websocket_queue: messages the application hasn't received yet; then no more are
            read.
        limit_websocket_unsent: bytes that may wait for a client, beside one message.
        limit_websocket_unfinished: bytes of memory for all messages of which parts have come;
            beyond it the next one to grow is closed with 1013, unless it is the only one. 0 is
            no limit.
        websocket_slow_reader: what happens beyond: ``wait``, ``send()`` waits for the client;
            ``drop``, the next message closes it with 1013.
        ping_interval: quiet seconds before a WebSocket is pinged; 0 sends no pings.
        ping_timeout: seconds a ping may stay unanswered; 0 is no limit.
        ws_deflate: permessage-deflate (RFC 7692) with clients that offer it: ``off``;
            ``shared`` compresses each message by itself and keeps no memory per connection;
            ``dedicated`` lets messages refer to earlier ones, with zlib streams of each
            connection's own.
        ws_deflate_level: zlib's, 1 to 9.
        ws_deflate_window_bits: 9 to 15; a message looks 2 to the power of so many bytes back.
        ws_deflate_memory_level: zlib's, 1 to 9.
        ws_deflate_threshold: bytes from which on a message is compressed.
        ws_deflate_memory: bytes that the streams of all connections together may take in
            ``dedicated``; connections beyond it are ``shared``.
        graceful_timeout: seconds that responses in flight get when the server stops. Two
            seconds later the process of `run()` ends, whatever it does.
        drain_delay: seconds from the request to stop until the server begins to: whoever
            balances load has time to notice.
        ws_drain_window: seconds over which a stopping server ends its WebSockets and event
            streams, lest all clients return at once; at most half of the graceful time-out.
        slow_callback: seconds for which the event loop may be blocked before its stack is
            logged.
        worker_timeout: seconds without a sign of life of the event loop, of those in which the
            process could run, after which the process of `run()` in the main thread ends, with the
            stacks of its threads on standard error and status 4; 0 and infinity never.
        timeout_after_disconnect: seconds for which an application that listens for the end
            of its client, or whose response has a known end, may go on sending in vain: messages
            are dropped, as with Daphne. Then its ``send()`` raises `ClientDisconnected`.
        application_close_timeout: seconds after which an application call is cancelled that
            goes on after its response is complete or its client has left; 0, which is never.
            Differs from Daphne, where it is 10.
        proxy_forwarded_address_header: request field in which a proxy names its client, such as
            X-Forwarded-For. Of several addresses the last one counts that is no proxy's.
        proxy_forwarded_port_header: the field with the client's port; 0 without it.
        proxy_forwarded_proto_header: the field that says http or https.
        forwarded_allow_ips: whose such fields are believed: addresses, networks, ``unix`` for
            peers on a Unix socket, ``*`` for everybody, as with Daphne.
        daphne_strict: scopes with Daphne's keys only, no lifespan, no Date, no close frame for
            a WebSocket client that breaks the protocol: what Daphne's own tests ask for.
        signal_handlers: whether `run()` handles SIGINT and SIGTERM; `serve()` is told itself.
        verbosity: from 3 on, `run()` puts its loop in asyncio's debug mode.
        ready_callable: called once connections are accepted.
    """

    application: Application
    endpoints: Sequence[str] = ()
    _: KW_ONLY
    host: str | None = None
    port: int | None = None
    unix_socket: str | None = None
    unix_socket_mode: int | None = None
    fd: int | None = None
    root_path: str = ""
    server_name: str = "cppasgi"
    headers: Sequence[tuple[str, str]] = ()
    access_log: HasFileno | None = None
    access_log_format: str = "daphne"
    access_log_exclude: Sequence[str] = ()
    lifespan: LifespanMode = "auto"
    loop: LoopName = "auto"
    sendfile: bool = False
    http_timeout: float = 0
    timeout_request_header: float = 30
    timeout_request_body: float = 60
    timeout_send: float = 60
    timeout_keep_alive: float = 75
    limit_request_line: int = 16384
    limit_request_header: int = 65536
    limit_request_fields: int = 128
    limit_request_body: int = 0
    limit_keep_alive_requests: int = 100_000
    limit_concurrency: int = 65536
    websocket_connect_timeout: float = 5
    websocket_timeout: float = 86400
    websocket_max_message_size: int = 1_048_576
    websocket_max_frame_size: int = 1_048_576
    timeout_websocket_idle: float = 0
    timeout_websocket_close: float = 5
    timeout_websocket_message: float = 60
    limit_websocket_queue: int = 1024
    limit_websocket_unsent: int = 16384
    limit_websocket_unfinished: int = 64 * 1024 * 1024
    websocket_slow_reader: SlowReader = "wait"
    ping_interval: float = 20
    ping_timeout: float = 30
    ws_deflate: DeflateMode = "shared"
    ws_deflate_level: int = 1
    ws_deflate_window_bits: int = 13
    ws_deflate_memory_level: int = 5
    ws_deflate_threshold: int = 256
    ws_deflate_memory: int = 64 * 1024 * 1024
    graceful_timeout: float = GRACEFUL_SECONDS
    drain_delay: float = 0
    ws_drain_window: float = 1
    slow_callback: float = 1
    worker_timeout: float = 30
    timeout_after_disconnect: float = 60
    application_close_timeout: float = 0
    proxy_forwarded_address_header: str | None = None
    proxy_forwarded_port_header: str | None = None
    proxy_forwarded_proto_header: str | None = None
    forwarded_allow_ips: Sequence[str] = ("127.0.0.0/8", "::1", "unix")
    daphne_strict: bool = False
    signal_handlers: bool = True
    verbosity: int = 1
    ready_callable: Callable[[], object] | None = None
