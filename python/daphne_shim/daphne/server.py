"""Daphne's `Server` on `cppasgi.Server`."""

import logging
import math
import sys

import cppasgi
from cppasgi.serving.actions import log_actions

logger = logging.getLogger(__name__)


def __getattr__(name):
    if name == "twisted_loop":
        raise ImportError(
            "cppasgi-daphne runs without Twisted: there is no daphne.server.twisted_loop"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Server:
    """One server, with the arguments, defaults and attributes of Daphne's.

    It behaves as ``cppasgi --daphne-strict``; ``options`` are further arguments of
    `cppasgi.Server`. Differs from Daphne: ``connections`` is empty, and there are no Twisted
    factories.

    Attributes:
        listening_addresses: (host, port) of every TCP endpoint once it listens.
        abort_start: whether an endpoint could not be listened on.
    """

    def __init__(
        self,
        application,
        endpoints=None,
        signal_handlers=True,
        action_logger=None,
        http_timeout=None,
        request_buffer_size=8192,
        websocket_timeout=86400,
        websocket_connect_timeout=20,
        ping_interval=20,
        ping_timeout=30,
        root_path="",
        proxy_forwarded_address_header=None,
        proxy_forwarded_port_header=None,
        proxy_forwarded_proto_header=None,
        verbosity=1,
        websocket_handshake_timeout=5,
        websocket_max_message_size=1024 * 1024,
        websocket_max_frame_size=1024 * 1024,
        application_close_timeout=10,
        ready_callable=None,
        server_name="daphne",
        **options,
    ):
        self.application = application
        self.endpoints = endpoints or []
        self.listeners = []
        self.listening_addresses = []
        self.connections = {}
        self.signal_handlers = signal_handlers
        self.action_logger = action_logger
        self.http_timeout = http_timeout
        self.ping_interval = ping_interval
        self.ping_timeout = ping_timeout
        self.request_buffer_size = request_buffer_size
        self.proxy_forwarded_address_header = proxy_forwarded_address_header
        self.proxy_forwarded_port_header = proxy_forwarded_port_header
        self.proxy_forwarded_proto_header = proxy_forwarded_proto_header
        self.websocket_timeout = websocket_timeout
        self.websocket_connect_timeout = websocket_connect_timeout
        self.websocket_handshake_timeout = websocket_handshake_timeout
        self.websocket_max_message_size = websocket_max_message_size
        self.websocket_max_frame_size = websocket_max_frame_size
        self.application_close_timeout = application_close_timeout
        self.root_path = root_path
        self.verbosity = verbosity
        self.abort_start = False
        self.ready_callable = ready_callable
        self.server_name = server_name
        self._options = {"daphne_strict": True, **options}
        self._server = None
        if not self.endpoints:
            logger.error("No endpoints. This server will not listen on anything.")
            sys.exit(1)

    def run(self):
        """Serves until a signal or `stop()`; works in any thread."""
        if self.abort_start:
            return
        application = _in_pieces(self.application, self.request_buffer_size)
        if self.action_logger:
            application = log_actions(application, self.log_action)
        self._server = cppasgi.Server(
            application=application,
            endpoints=self.endpoints,
            signal_handlers=self.signal_handlers,
            http_timeout=self.http_timeout or 0,
            websocket_connect_timeout=_shorter(
                self.websocket_connect_timeout, self.websocket_handshake_timeout
            ),
            websocket_timeout=self.websocket_timeout,
            ping_interval=self.ping_interval,
            ping_timeout=self.ping_timeout,
            root_path=self.root_path,
            proxy_forwarded_address_header=self.proxy_forwarded_address_header,
            proxy_forwarded_port_header=self.proxy_forwarded_port_header,
            proxy_forwarded_proto_header=self.proxy_forwarded_proto_header,
            verbosity=self.verbosity,
            websocket_max_message_size=self.websocket_max_message_size,
            websocket_max_frame_size=self.websocket_max_frame_size,
            application_close_timeout=self.application_close_timeout,
            ready_callable=self._on_ready,
            server_name=self.server_name,
            **self._options,
        )
        try:
            self._server.run()
        except cppasgi.ListenError as error:
            logger.critical("Listen failure: %s", error)
            self.abort_start = True

    def stop(self):
        """Stops the server, from any thread; before `run()`, keeps it from starting."""
        if self._server is None:
            self.abort_start = True
        else:
            self._server.shutdown()

    @property
    def stop_deadline(self):
        """When the server must have stopped, on ``time.monotonic()``'s clock."""
        return math.inf if self._server is None else self._server.stop_deadline

    def log_action(self, protocol, action, details):
        """Tells the action logger, if there is one."""
        if self.action_logger:
            self.action_logger(protocol, action, details)

    def _on_ready(self):
        self.listening_addresses = [a for a in self._server.addresses if isinstance(a, tuple)]
        if self.ready_callable:
            self.ready_callable()


def _shorter(*timeouts):
    # Daphne has two timers for one thing; -1 is none.
    return min((timeout for timeout in timeouts if timeout > 0), default=0)


def _in_pieces(application, size):
    """Wraps an application so that it gets request bodies in pieces of at most ``size`` bytes."""

    async def in_pieces(scope, receive, send):
        waiting = []

        async def receive_piece():
            if waiting:
                return waiting.pop(0)
            message = await receive()
            body = message.get("body", b"")
            if message["type"] != "http.request" or len(body) <= size:
                return message
            pieces = [body[start : start + size] for start in range(0, len(body), size)]
            waiting.extend({**message, "body": piece, "more_body": True} for piece in pieces)
            waiting[-1]["more_body"] = message["more_body"]
            return waiting.pop(0)

        await application(scope, receive_piece, send)

    return in_pieces
