"""Makes the native server of a `Server`: what it is told of the settings, under its own names."""

from __future__ import annotations

import asyncio
import logging
import resource
import sys
from typing import TYPE_CHECKING

from cppasgi import _native
from cppasgi.observing.loop_watch import served
from cppasgi.serving.loops import makes_plain_tasks

if TYPE_CHECKING:
    from cppasgi.serving.server import Server

logger = logging.getLogger("cppasgi.server")


def native_server(server: Server, loop: asyncio.AbstractEventLoop) -> _native.Server:
    """Makes the native server that serves the application of ``server`` in ``loop``."""
    application = server.application
    if server.daphne_strict:
        from cppasgi.serving.strict import with_daphne_scopes

        application = with_daphne_scopes(application)
    options = native_options(server)
    options.plain_tasks = makes_plain_tasks(loop)
    return _native.Server(application, loop, options, served)


def native_options(server: Server) -> _native.ServerOptions:
    """Makes the native server's options out of the attributes of ``server``."""
    options = _native.ServerOptions()
    options.root_path = server.root_path
    options.server_header = server.server_name
    options.sends_files = server.sendfile
    options.finishes_responses = _is_django_4()
    options.access_log_fd = -1 if server.access_log is None else server.access_log.fileno()
    if server.metrics is not None:
        options.metrics_fd = server.metrics.fd
        options.metrics_index = server.metrics.place
    options.response_start_timeout = server.http_timeout
    options.request_head_timeout = server.timeout_request_header
    options.request_content_timeout = server.timeout_request_body
    options.send_timeout = server.timeout_send
    options.keep_alive_timeout = server.timeout_keep_alive
    options.max_target_bytes = server.limit_request_line
    options.max_header_bytes = server.limit_request_header
    options.max_header_count = server.limit_request_fields
    options.max_content_bytes = server.limit_request_body
    options.max_requests = server.limit_keep_alive_requests
    options.max_connections = _within_open_files(server.limit_concurrency)
    options.replace_idle_at = server.replace_idle_at
    options.websocket_handshake_timeout = max(server.websocket_connect_timeout, 0)
    options.max_message_bytes = server.websocket_max_message_size
    options.max_frame_bytes = server.websocket_max_frame_size
    options.max_queued_messages = server.limit_websocket_queue
    options.max_unsent_bytes = server.limit_websocket_unsent
    options.max_unfinished_bytes = server.limit_websocket_unfinished
    options.drops_slow_readers = server.websocket_slow_reader == "drop"
    options.websocket_age_timeout = max(server.websocket_timeout, 0)
    options.websocket_idle_timeout = server.timeout_websocket_idle
    options.after_disconnect_timeout = server.timeout_after_disconnect
    options.websocket_close_timeout = server.timeout_websocket_close
    options.websocket_message_timeout = server.timeout_websocket_message
    options.proxy_address_header = (server.proxy_forwarded_address_header or "").lower()
    options.proxy_port_header = (server.proxy_forwarded_port_header or "").lower()
    options.proxy_scheme_header = (server.proxy_forwarded_proto_header or "").lower()
    options.trusted_proxies = list(server.forwarded_allow_ips)
    options.access_log_format = server.access_log_format
    options.access_log_exclude = list(server.access_log_exclude)
    options.headers = list(server.headers)
    options.daphne_strict = server.daphne_strict
    options.date_header = not server.daphne_strict
    options.ping_interval = server.ping_interval
    options.ping_timeout = server.ping_timeout
    options.deflate_mode = server.ws_deflate
    options.deflate_level = server.ws_deflate_level
    options.deflate_window_bits = server.ws_deflate_window_bits
    options.deflate_memory_level = server.ws_deflate_memory_level
    options.deflate_min_bytes = server.ws_deflate_threshold
    options.deflate_max_memory_bytes = server.ws_deflate_memory
    return options


def _is_django_4() -> bool:
    """Django before 5.0 doesn't listen while it sends, and cleans up only after the last part."""
    django = sys.modules.get("django")
    return django is not None and django.VERSION < (5,)


def most_connections(wanted: int) -> tuple[int, int]:
    """How many there may be, up to ``wanted``, and how many files the process may open.

    Descriptors are left for the application, and for telling clients that there are too many.
    """
    open_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if open_files == resource.RLIM_INFINITY:
        return wanted, open_files
    return min(wanted, max(open_files - max(open_files // 8, 128), open_files // 2, 1)), open_files


def _within_open_files(connections: int) -> int:
    most, open_files = most_connections(connections)
    if most < connections:
        logger.info("At most %d connections, as the process may open %d files", most, open_files)
    return most
