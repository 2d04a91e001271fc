"""The server as Python programs use it: binding, lifespan, running and stopping in the right order.

Sockets, protocols and the calls of the application are native (`cppasgi._native.Server`).
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from cppasgi import _native
from cppasgi.endpoints import endpoint_descriptions
from cppasgi.forked import let_go_in_children
from cppasgi.lifespan import Application, Lifespan, LifespanMode
from cppasgi.listeners import ListenAddress, listeners_for
from cppasgi.loops import LoopName, close_loop, loop_factory, run_to_its_end, thread_pool_size
from cppasgi.native_options import native_server
from cppasgi.serving import Serving, StopRequest
from cppasgi.signals import StopSignals
from cppasgi.stop_times import END_SECONDS, GRACEFUL_SECONDS
from cppasgi.systemd import Notifier
from cppasgi.times import check_times
from cppasgi.worker import Worker

if TYPE_CHECKING:
    from _typeshed import HasFileno

    from cppasgi.board import BoardSlot

DeflateMode = Literal["off", "shared", "dedicated"]
SlowReader = Literal["wait", "drop"]


class Server:
    """One ASGI server: `run()` it on a loop of its own, or `serve()` it inside a running loop.

    An object serves once. The order is: bind, lifespan start-up, accept, serve; then stop
    accepting, drain, cancel what is left, lifespan shutdown.

    Attributes:
        endpoints: the descriptions of what is listened on, in alphabetical order.
    """

    def __init__(
        self,
        application: Application,
        endpoints: Sequence[str] = (),
        *,
        host: str | None = None,
        port: int | None = None,
        unix_socket: str | None = None,
        fd: int | None = None,
        root_path: str = "",
        server_name: str = "cppasgi",
        access_log: HasFileno | None = None,
        access_log_format: str = "daphne",
        lifespan: LifespanMode = "auto",
        loop: LoopName = "auto",
        sendfile: bool = False,
        http_timeout: float = 0,
        timeout_request_header: float = 30,
        timeout_request_body: float = 60,
        timeout_send: float = 60,
        timeout_keep_alive: float = 75,
        limit_request_line: int = 16384,
        limit_request_header: int = 65536,
        limit_request_fields: int = 128,
        limit_request_body: int = 0,
        limit_keep_alive_requests: int = 100_000,
        limit_concurrency: int = 65536,
        websocket_connect_timeout: float = 5,
        websocket_timeout: float = 86400,
        websocket_max_message_size: int = 1_048_576,
        websocket_max_frame_size: int = 1_048_576,
        timeout_websocket_idle: float = 0,
        timeout_websocket_close: float = 5,
        timeout_websocket_message: float = 60,
        limit_websocket_queue: int = 1024,
        limit_websocket_unsent: int = 16384,
        limit_websocket_unfinished: int = 64 * 1024 * 1024,
        websocket_slow_reader: SlowReader = "wait",
        ping_interval: float = 20,
        ping_timeout: float = 30,
        ws_deflate: DeflateMode = "shared",
        ws_deflate_level: int = 1,
        ws_deflate_window_bits: int = 13,
        ws_deflate_memory_level: int = 5,
        ws_deflate_threshold: int = 256,
        ws_deflate_memory: int = 64 * 1024 * 1024,
        graceful_timeout: float = GRACEFUL_SECONDS,
        drain_delay: float = 0,
        ws_drain_window: float = 1,
        slow_callback: float = 1,
        timeout_after_disconnect: float = 60,
        application_close_timeout: float = 0,
        proxy_forwarded_address_header: str | None = None,
        proxy_forwarded_port_header: str | None = None,
        proxy_forwarded_proto_header: str | None = None,
        forwarded_allow_ips: Sequence[str] = ("127.0.0.0/8", "::1", "unix"),
        daphne_strict: bool = False,
        signal_handlers: bool = True,
        verbosity: int = 1,
        ready_callable: Callable[[], object] | None = None,
        worker: Worker | None = None,
        notifier: Notifier | None = None,
        metrics: BoardSlot | None = None,
        announced: bool = True,
        replace_idle_at: int = 0,
    ) -> None:
        """Prepares a server; nothing is opened yet.

        Args:
            application: an ASGI 3 application.
            endpoints: where to listen, in the grammar of `cppasgi.endpoints`, as with Daphne. A
                stale Unix socket is replaced, a live one never; a descriptor stays the caller's.
            host: address or name for TCP; default 127.0.0.1 unless only others are given.
            port: TCP port, default 8000; 0 takes a free one.
            unix_socket: path of a Unix socket.
            fd: descriptor of a bound stream socket.
            root_path: ``root_path`` of every scope.
            server_name: value of the ``Server`` header; empty sends none.
            access_log: open file (or anything with a descriptor) for access log lines. It must
                stay open while the server runs.
            access_log_format: ``daphne``, ``combined``, ``json`` or a line with gunicorn's atoms,
                see docs/configuration.md.
            lifespan: ``auto``, ``on`` or ``off``, see `cppasgi.lifespan.Lifespan`.
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
                handshake; 0 or less is no limit.
            websocket_timeout: seconds a WebSocket may be open, then close 1000; 0 or less is no
                limit.
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
            timeout_after_disconnect: seconds for which an application that listens for the end
                of its client may go on sending in vain: messages are dropped, as with Daphne.
                Then its ``send()`` raises `ClientDisconnected`.
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
            signal_handlers: whether `run()` handles SIGINT and SIGTERM.
            verbosity: from 3 on, `run()` puts its loop in asyncio's debug mode.
            ready_callable: called once connections are accepted.
            worker: this process as one of a supervisor's, which has the sockets.
            notifier: tells systemd how the server is doing.
            metrics: where the server counts, for another process to read (`cppasgi.board`). Its
                descriptor must stay open until the server runs.
            announced: whether the log tells of the addresses.
            replace_idle_at: number of connections from which on a new one takes the place of the
                one that has been without a request for longest; 0 is never. For small numbers.

        Raises:
            TypeError: the application is not callable.
            ValueError: an endpoint is wrong or not supported; unknown ``lifespan``, ``loop`` or
                ``websocket_slow_reader``; a time that is none; a wrong ASGI_THREADS.
            ImportError: uvloop is demanded and not importable.
        """
        if not callable(application):
            raise TypeError(f"application must be callable, not {type(application).__name__}")
        if websocket_slow_reader not in ("wait", "drop"):
            raise ValueError(f"websocket_slow_reader must be wait or drop: {websocket_slow_reader}")
        self.application = application
        self.endpoints = endpoint_descriptions(host, port, unix_socket, fd, endpoints)
        self.root_path = root_path
        self.server_name = server_name
        self.sendfile = sendfile
        self.access_log = access_log
        self.access_log_format = access_log_format
        self.http_timeout = http_timeout
        self.timeout_request_header = timeout_request_header
        self.timeout_request_body = timeout_request_body
        self.timeout_send = timeout_send
        self.timeout_keep_alive = timeout_keep_alive
        self.limit_request_line = limit_request_line
        self.limit_request_header = limit_request_header
        self.limit_request_fields = limit_request_fields
        self.limit_request_body = limit_request_body
        self.limit_keep_alive_requests = limit_keep_alive_requests
        self.limit_concurrency = limit_concurrency
        self.replace_idle_at = replace_idle_at
        self.websocket_connect_timeout = websocket_connect_timeout
        self.websocket_max_message_size = websocket_max_message_size
        self.websocket_max_frame_size = websocket_max_frame_size
        self.websocket_timeout = websocket_timeout
        self.timeout_websocket_idle = timeout_websocket_idle
        self.timeout_websocket_close = timeout_websocket_close
        self.timeout_websocket_message = timeout_websocket_message
        self.limit_websocket_queue = limit_websocket_queue
        self.limit_websocket_unsent = limit_websocket_unsent
        self.limit_websocket_unfinished = limit_websocket_unfinished
        self.websocket_slow_reader = websocket_slow_reader
        self.ping_interval = ping_interval
        self.ping_timeout = ping_timeout
        self.ws_deflate: DeflateMode = ws_deflate
        self.ws_deflate_level = ws_deflate_level
        self.ws_deflate_window_bits = ws_deflate_window_bits
        self.ws_deflate_memory_level = ws_deflate_memory_level
        self.ws_deflate_threshold = ws_deflate_threshold
        self.ws_deflate_memory = ws_deflate_memory
        self.graceful_timeout = graceful_timeout
        self.drain_delay = drain_delay
        self.ws_drain_window = ws_drain_window
        self.slow_callback = slow_callback
        self.timeout_after_disconnect = timeout_after_disconnect
        self.application_close_timeout = application_close_timeout
        self.proxy_forwarded_address_header = proxy_forwarded_address_header
        self.proxy_forwarded_port_header = proxy_forwarded_port_header
        self.proxy_forwarded_proto_header = proxy_forwarded_proto_header
        self.forwarded_allow_ips = forwarded_allow_ips
        self.daphne_strict = daphne_strict
        self.signal_handlers = signal_handlers
        self.verbosity = verbosity
        self.ready_callable = ready_callable
        self.metrics = metrics
        check_times(self)
        self._make_loop = loop_factory(loop, thread_pool_size())
        self._lifespan = Lifespan(application, "off" if daphne_strict else lifespan)
        self.notifier = notifier
        self._worker = worker
        self._listeners = listeners_for(self.endpoints, worker, announced=announced)
        self._native: _native.Server | None = None
        self._runs_loop = False
        self._accepting = False
        self._start_over = asyncio.Event()
        self._stop = StopRequest(self)
        self._signals = StopSignals(
            lambda restarts: self._stop.make(restarts=restarts),
            self._listeners.remove_files,
            self.drain_delay + self.graceful_timeout + END_SECONDS,
            is_worker=worker is not None,
        )

    def run(self) -> None:
        """Serves on a new event loop until a signal or `shutdown()`, and closes the loop.

        The variable ASGI_THREADS, if there is one, is the size of the loop's thread pool.
        Works in any thread; signals are handled in the main thread only. A KeyboardInterrupt or
        SystemExit out of the application stops the server gracefully (as with Daphne); the
        latter then continues out of here.

        Raises:
            ListenError: an address can't be listened on.
            LifespanError: the application failed at start-up or shutdown.
        """
        loop = self._make_loop()
        loop.set_debug(self.verbosity >= 3)
        asyncio.set_event_loop(loop)
        self._runs_loop = True
        process = os.getpid()
        try:
            serving = loop.create_task(self.serve(signal_handlers=self.signal_handlers))
            exit_request = run_to_its_end(loop, serving, self.shutdown)
        finally:
            if os.getpid() == process:  # else the loop is the parent's
                close_loop(loop, self._stop.seconds_left() + END_SECONDS / 2)
                self._signals.restore()
                self._signals.disarm()
        if exit_request is not None:
            raise exit_request

    async def serve(self, *, signal_handlers: bool = False) -> None:
        """Serves inside the running event loop until `shutdown()`.

        Cancelling it stops the server too, without draining.

        Args:
            signal_handlers: whether SIGINT and SIGTERM stop the server; main thread only.

        Raises:
            ListenError: an address can't be listened on.
            LifespanError: the application failed at start-up or shutdown.
        """
        if self._native is not None:
            raise RuntimeError("A Server serves only once")
        loop = asyncio.get_running_loop()
        self._stop.attach(loop)
        if signal_handlers:
            self._signals.install()
        try:
            native = self._native = native_server(self, loop)
            serving = Serving(
                self, native, self._listeners, self._lifespan, self._stop, self._on_accepting
            )
            in_main_thread = threading.current_thread() is threading.main_thread()
            with let_go_in_children(
                native, self._listeners, self._signals, loop, owns_loop=self._runs_loop
            ):
                await serving.run(owns_process=self._runs_loop and in_main_thread)
        finally:
            self._start_over.set()
            if not self._runs_loop:
                self._signals.restore()
                self._signals.disarm()

    async def started(self) -> None:
        """Waits until connections are accepted; for the loop that serves.

        Raises:
            RuntimeError: the server ended without getting that far; `serve()` raises the reason.
        """
        await self._start_over.wait()
        if not self._accepting:
            raise RuntimeError("The server could not be started")

    def shutdown(self) -> None:
        """Stops the server gracefully, from any thread or signal handler. Returns at once.

        Event streams end at once, calls that outlast ``graceful_timeout`` hear of it then.
        """
        self._stop.make(restarts=False)

    @property
    def addresses(self) -> list[ListenAddress]:
        """What is listened on, (host, port) for TCP and a path for a Unix socket.

        Real ports even where port 0 was asked for. Filled in once `started()` returns.
        """
        return self._listeners.addresses

    @property
    def stop_deadline(self) -> float:
        """When the graceful time-out ends on ``time.monotonic()``'s clock; infinite before."""
        return self._stop.deadline

    @property
    def connections(self) -> int:
        """Open connections."""
        return 0 if self._native is None else self._native.connections

    @property
    def running_applications(self) -> int:
        """Application calls that have not returned."""
        return 0 if self._native is None else self._native.running_applications

    def _on_accepting(self) -> None:
        self._accepting = True
        self._start_over.set()
        if self.ready_callable is not None:
            self.ready_callable()
        if self._worker is not None:
            self._worker.report_ready()
