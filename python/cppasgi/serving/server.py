"""The server as Python programs use it: binding, lifespan, running and stopping in the right order.

Sockets, protocols and the calls of the application are native (`cppasgi._native.Server`).
"""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from cppasgi import _native
from cppasgi.observing.access import access_log_file
from cppasgi.observing.loop_watch import served
from cppasgi.serving.forked import let_go_in_children
from cppasgi.serving.lifespan import Lifespan
from cppasgi.serving.listeners import ListenAddress, listeners_for
from cppasgi.serving.loops import (
    close_loop,
    loop_factory,
    makes_plain_tasks,
    refuse_running_loop,
    run_to_its_end,
    thread_pool_size,
)
from cppasgi.serving.native_options import native_options
from cppasgi.serving.run import END_SECONDS, Serving, StopRequest
from cppasgi.serving.signals import StopSignals
from cppasgi.settings.endpoints import endpoint_descriptions
from cppasgi.settings.server_settings import ServerSettings
from cppasgi.settings.setting import check_settings

if TYPE_CHECKING:
    from _typeshed import HasFileno

    from cppasgi.observing.board import BoardSlot
    from cppasgi.serving.systemd import Notifier
    from cppasgi.serving.worker import Worker


@dataclass(eq=False, repr=False)
class Server(ServerSettings):
    """One ASGI server: `run()` it on a loop of its own, or `serve()` it inside a running loop.

    An object serves once. The order is: bind, lifespan start-up, accept, serve; then stop
    accepting, drain, cancel what is left, lifespan shutdown.

    Its arguments are the attributes of `ServerSettings`. Afterwards ``endpoints`` has the
    descriptions of all that is listened on, in alphabetical order. What follows is for the command
    and its supervisor, not for users.

    Attributes:
        worker: this process as one of a supervisor's, which has the sockets.
        notifier: tells systemd how the server is doing.
        metrics: where the server counts, for another process to read (`cppasgi.observing.board`).
            Its descriptor must stay open until the server runs.
        announced: whether the log tells of the addresses.
        replace_idle_at: number of connections from which on a new one takes the place of the
            one that has been without a request for longest; 0 is never. For small numbers.
    """

    _: KW_ONLY
    worker: Worker | None = None
    notifier: Notifier | None = None
    metrics: BoardSlot | None = None
    announced: bool = True
    replace_idle_at: int = 0

    def __post_init__(self) -> None:
        """Prepares a server; nothing is opened yet.

        Raises:
            TypeError: the application is not callable.
            ValueError: a keyword has no value that it takes; an endpoint is not supported; a wrong
                ASGI_THREADS. The text is one line that says which.
            ImportError: uvloop is demanded and not importable.
        """
        if not callable(self.application):
            raise TypeError(f"application must be callable, not {type(self.application).__name__}")
        check_settings(self)
        if self.metrics is not None and not hasattr(self.metrics, "fd"):
            raise ValueError("metrics: only a supervisor serves them, see the flag --metrics")
        if self.proxy_headers:
            self.proxy_forwarded_address_header = (
                self.proxy_forwarded_address_header or "X-Forwarded-For"
            )
            self.proxy_forwarded_port_header = (
                self.proxy_forwarded_port_header or "X-Forwarded-Port"
            )
            self.proxy_forwarded_proto_header = (
                self.proxy_forwarded_proto_header or "X-Forwarded-Proto"
            )
        self.endpoints = endpoint_descriptions(
            self.host,
            self.port,
            self.unix_socket,
            self.fd,
            self.endpoints,
            self.unix_socket_mode,
            self.proxy_protocol,
        )
        self._make_loop = loop_factory(self.loop, thread_pool_size())
        self._lifespan = Lifespan(self.application, "off" if self.daphne_strict else self.lifespan)
        self._listeners = listeners_for(self.endpoints, self.worker, announced=self.announced)
        self._native: _native.Server | None = None
        self._runs_loop = False
        self._accepting = False
        self._start_over = asyncio.Event()
        self._stop = StopRequest(self)
        self._signals = StopSignals(
            lambda restarts: self._stop.make(restarts=restarts),
            self._listeners.remove_files,
            self.drain_delay + self.graceful_timeout + END_SECONDS,
            is_worker=self.worker is not None,
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
            OSError: the file of the access log can't be opened.
            RuntimeError: an event loop runs in this thread already: use `serve()` there.
        """
        refuse_running_loop()
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

        Cancelling it stops the server too, without draining. So does SIGINT under `asyncio.run()`.
        SIGTERM ends the program at once, unless it or ``signal_handlers`` has a handler.

        Args:
            signal_handlers: whether SIGINT and SIGTERM stop the server as they stop `run()`; main
                thread only. The former handlers are back when this returns, and the program goes
                on. Differs from uvicorn: only if asked, whatever the attribute of that name says,
                and the signal isn't raised again.

        Raises:
            ListenError: an address can't be listened on.
            LifespanError: the application failed at start-up or shutdown.
            OSError: the file of the access log can't be opened.
        """
        if self._native is not None:
            raise RuntimeError("A Server serves only once")
        loop = asyncio.get_running_loop()
        self._stop.attach(loop)
        if signal_handlers:
            self._signals.install()
        try:
            with access_log_file(self.access_log, self.verbosity) as access_log:
                native = self._native = self._make_native(loop, access_log)
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

    def _make_native(
        self, loop: asyncio.AbstractEventLoop, access_log: HasFileno | None
    ) -> _native.Server:
        application = self.application
        if self.daphne_strict:
            from cppasgi.serving.strict import with_daphne_scopes

            application = with_daphne_scopes(application)
        options = native_options(self, access_log)
        options.plain_tasks = makes_plain_tasks(loop)
        options.replace_idle_at = self.replace_idle_at
        if self.metrics is not None:
            options.metrics_fd = self.metrics.fd
            options.metrics_index = self.metrics.place
        return _native.Server(application, loop, options, served)

    def _on_accepting(self) -> None:
        self._accepting = True
        self._start_over.set()
        if self.ready_callable is not None:
            self.ready_callable()
        if self.worker is not None:
            self.worker.report_ready()
            if self.worker.requests and self._native is not None:
                self._native.tell_after(self.worker.requests, self.worker.ready_fd)
