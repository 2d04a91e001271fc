"""The settings of a server: the keywords of `cppasgi.Server`, most of which are flags, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal

from cppasgi.settings import values
from cppasgi.settings.setting import (
    ADDRESSES,
    APPLICATION,
    CONNECTIONS,
    FIELD_NAME,
    LOGGING,
    PROCESSES,
    PROXY,
    REQUESTS,
    SECONDS,
    STOPPING,
    SWITCH,
    TEXT,
    Kind,
    choice,
    setting,
    several,
    whole,
)
from cppasgi.settings.websocket_settings import WebSocketSettings

if TYPE_CHECKING:
    from os import PathLike

    from _typeshed import HasFileno

    from cppasgi.settings.asgi import Application

LifespanMode = Literal["auto", "on", "off"]
LoopName = Literal["auto", "native", "asyncio", "uvloop"]


@dataclass(eq=False, repr=False)
class ServerSettings(WebSocketSettings):
    """The settings of a server; docs/configuration.md says more of those that are flags.

    Seconds of 0 and of infinity are no limit where nothing else is said. A keyword that is a flag
    also takes the text that the flag takes.

    Attributes:
        application: an ASGI 3 application.
        endpoints: where to listen, in the grammar of `cppasgi.settings.endpoints`, as with Daphne.
            A stale Unix socket is replaced, a live one never; a descriptor stays the caller's.
        access_log: a path, ``-`` for standard output, or an open file (or anything with a
            descriptor), which must stay open while the server runs.
        proxy_headers: believes X-Forwarded-For, -Port and -Proto; the next three name other fields.
        proxy_forwarded_address_header: request field in which a proxy names its client. Of several
            addresses the last one counts that is no proxy's.
        proxy_forwarded_port_header: the field with the client's port; 0 without it.
        proxy_forwarded_proto_header: the field that says http or https.
        worker_timeout: of the process of `run()` in the main thread.
        signal_handlers: whether `run()` handles SIGINT and SIGTERM; `serve()` is told itself.
        ready_callable: called once connections are accepted.
    """

    application: Application
    endpoints: Sequence[str] = setting(
        (),
        several(values.line, "ENDPOINT"),
        ADDRESSES,
        r"where to listen in Twisted's grammar, such as tcp:8000:interface=\:\:1 or "
        "unix:/run/site.sock:mode=660; may be repeated",
        flags="-e --endpoint",
        dest="socket_strings",
        is_fixed=True,
    )
    _: KW_ONLY
    host: str | None = setting(
        None,
        TEXT,
        ADDRESSES,
        "host or address to listen on",
        flags="-b --bind --host",
        shown="127.0.0.1",
        is_optional=True,
        is_fixed=True,
    )
    port: int | None = setting(
        None,
        Kind(values.port),
        ADDRESSES,
        "TCP port; 0 takes a free one",
        flags="-p --port",
        shown="8000",
        is_fixed=True,
    )
    unix_socket: str | None = setting(
        None,
        TEXT,
        ADDRESSES,
        "path of a Unix socket to listen on, instead of TCP",
        flags="-u --unix-socket",
        unit="PATH",
        is_optional=True,
        is_fixed=True,
    )
    unix_socket_mode: int | None = setting(
        None,
        Kind(values.mode, "MODE"),
        ADDRESSES,
        "permissions of Unix sockets, in octal digits; by default nothing for whom the umask lets "
        "not even read",
        shown="666",
        is_optional=True,
        is_fixed=True,
    )
    proxy_protocol: bool = setting(
        False,
        SWITCH,
        ADDRESSES,
        "each connection begins with a preamble of the PROXY protocol, version 1 or 2, in which a "
        "proxy that --forwarded-allow-ips trusts names the client",
        is_fixed=True,
    )
    fd: int | None = setting(
        None,
        whole("N", 0),
        ADDRESSES,
        "descriptor of a bound socket to listen on, instead of TCP",
        dest="file_descriptor",
        is_optional=True,
        is_fixed=True,
    )
    root_path: str = setting(
        "", TEXT, APPLICATION, "root_path of every ASGI scope", shown="empty", native="root_path"
    )
    lifespan: LifespanMode = setting(
        "auto",
        choice("auto", "on", "off"),
        APPLICATION,
        "whether the application has ASGI lifespan; auto finds out",
    )
    loop: LoopName = setting(
        "auto",
        choice("auto", "native", "asyncio", "uvloop"),
        APPLICATION,
        "event loop; auto is native, cppasgi's own, or with a Python later than 3.13 uvloop if it "
        "is installed",
    )
    sendfile: bool = setting(
        False,
        SWITCH,
        APPLICATION,
        "offer the application the ASGI extensions by which the kernel sends files; not for "
        "middleware that reads or changes the content of responses",
        native="sends_files",
    )
    daphne_strict: bool = setting(
        False,
        SWITCH,
        APPLICATION,
        "Daphne's scopes, no lifespan, no Date, no close frame for a bad WebSocket: what Daphne's "
        "own tests ask for",
        native="daphne_strict",
    )
    graceful_timeout: float = setting(
        6.0, SECONDS, STOPPING, "what responses in flight get when the server stops"
    )
    drain_delay: float = setting(
        0,
        SECONDS,
        STOPPING,
        "go on serving so long before a stop begins, for load balancers",
        shown="0",
    )
    ws_drain_window: float = setting(
        1, SECONDS, STOPPING, "spread the end of WebSockets and event streams over so long"
    )
    timeout_after_disconnect: float = setting(
        60,
        SECONDS,
        STOPPING,
        "once its client has left, an application that listens for that, or whose response has a "
        "known end, may go on sending in vain for so long; then send() raises; 0 is no limit",
        native="after_disconnect_timeout",
    )
    application_close_timeout: float = setting(
        0,
        SECONDS,
        STOPPING,
        "cancel application calls that go on so long after their response is complete or their "
        "client has left",
        shown="0, never",
    )
    worker_timeout: float = setting(
        30,
        SECONDS,
        PROCESSES,
        "end a process whose event loop has been stuck for so long; 0 is never",
    )
    slow_callback: float = setting(
        1,
        SECONDS,
        PROCESSES,
        "log the stack when the event loop is blocked for so long; 0 is never",
    )
    proxy_headers: bool | None = setting(
        None,  # so that off can be told from not said
        SWITCH,
        PROXY,
        "believe X-Forwarded-For, -Port, -Proto and Daphne-Root-Path of trusted peers",
        shown="off",
        is_passed=False,
    )
    forwarded_allow_ips: Sequence[str] = setting(
        ("127.0.0.0/8", "::1", "unix"),
        Kind(values.proxy, "LIST", is_list=True, separator=",", native=list),
        PROXY,
        "the trusted peers: addresses, networks, unix for Unix sockets, * for everybody",
        native="trusted_proxies",
    )
    proxy_forwarded_address_header: str | None = setting(
        None,
        FIELD_NAME,
        PROXY,
        "field with the client's address",
        flags="--proxy-headers-host",
        dest="proxy_headers_host",
        shown="X-Forwarded-For",
        native="proxy_address_header",
        is_passed=False,
    )
    proxy_forwarded_port_header: str | None = setting(
        None,
        FIELD_NAME,
        PROXY,
        "field with the client's port",
        flags="--proxy-headers-port",
        dest="proxy_headers_port",
        shown="X-Forwarded-Port",
        native="proxy_port_header",
        is_passed=False,
    )
    proxy_forwarded_proto_header: str | None = setting(
        None, FIELD_NAME, native="proxy_scheme_header"
    )
    server_name: str = setting(
        "cppasgi",
        TEXT,
        REQUESTS,
        "value of the Server header",
        flags="-s --server-name",
        off="--no-server-name",
        native="server_header",
    )
    date_header: bool = setting(
        True, SWITCH, REQUESTS, "send the Date of each response", native="date_header"
    )
    headers: Sequence[tuple[str, str]] = setting(
        (),
        several(values.header, "NAME:VALUE", "\n"),
        REQUESTS,
        "field of every response that has none of that name; may be repeated",
        flags="--header",
        native="headers",
    )
    http_timeout: float = setting(
        0,
        SECONDS,
        REQUESTS,
        "time to the start of a response: 503; 0 is no limit",
        flags="-t --http-timeout",
        native="response_start_timeout",
    )
    timeout_request_header: float = setting(
        30,
        SECONDS,
        REQUESTS,
        "time for a request's head: 408; 0 is no limit",
        native="request_head_timeout",
    )
    timeout_request_body: float = setting(
        60,
        SECONDS,
        REQUESTS,
        "time between pieces of a body: 408; 0 is no limit",
        native="request_content_timeout",
    )
    timeout_send: float = setting(
        60,
        SECONDS,
        REQUESTS,
        "time until a client reads on, else it is cut; 0 is no limit",
        native="send_timeout",
    )
    limit_request_line: int = setting(
        16384, whole("BYTES", 1), REQUESTS, "longest request target: 414", native="max_target_bytes"
    )
    limit_request_header: int = setting(
        65536,
        whole("BYTES", 1),
        REQUESTS,
        "size of all header fields: 431",
        native="max_header_bytes",
    )
    limit_request_fields: int = setting(
        128, whole("N", 1), REQUESTS, "number of header fields: 431", native="max_header_count"
    )
    limit_request_body: int = setting(
        0,
        whole("BYTES", 0),
        REQUESTS,
        "longest request body: 413; 0 is no limit",
        native="max_content_bytes",
    )
    timeout_keep_alive: float = setting(
        75,
        SECONDS,
        CONNECTIONS,
        "time between two requests; 0 is no limit",
        native="keep_alive_timeout",
    )
    limit_keep_alive_requests: int = setting(
        100_000,
        whole("N", 0),
        CONNECTIONS,
        "requests of a connection; 0 is no limit",
        native="max_requests",
    )
    limit_concurrency: int = setting(
        65536, whole("N", 1), CONNECTIONS, "connections at a time: 503", native="max_connections"
    )
    verbosity: int = setting(
        1,
        Kind(values.number(0, 3), choices=(0, 1, 2, 3)),
        LOGGING,
        "0 warnings, 1 information, 2 debugging, 3 also asyncio's debug mode",
        flags="-v --verbosity",
    )
    access_log: str | PathLike[str] | HasFileno | None = setting(
        None,
        Kind(values.log_file, "FILE"),
        LOGGING,
        "file for access log lines, - is standard output",
        shown="standard output from -v 1 on",
        is_optional=True,
        is_passed=False,
    )
    access_log_format: str = setting(
        "daphne",
        Kind(values.access_log_format, "FORMAT"),
        LOGGING,
        "access log lines: daphne, combined, json, or a line with gunicorn's atoms, such as %(h)s",
        flags="--log-format",
        native="access_log_format",
    )
    access_log_exclude: Sequence[str] = setting(
        (),
        several(values.path_of_requests, "PATH"),
        LOGGING,
        "no line for requests of this path, such as /healthz; may be repeated",
        native="access_log_exclude",
    )
    signal_handlers: bool = True
    ready_callable: Callable[[], object] | None = None
