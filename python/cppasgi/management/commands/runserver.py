"""``manage.py runserver`` on cppasgi: Django's development server, with ASGI and WebSockets.

Needs ``"cppasgi"`` before ``"django.contrib.staticfiles"`` in INSTALLED_APPS. Not for production.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError
from django.core.management.commands.runserver import Command as RunserverCommand
from django.db import connections
from django.utils import autoreload

from cppasgi import ListenError, Server, __version__
from cppasgi.command.options import argument_type
from cppasgi.processes.django_reloader import STOP_SECONDS, is_above, serve_in_children
from cppasgi.serving.actions import log_actions
from cppasgi.settings.values import time_limit, time_limit_or_none

logger = logging.getLogger("django.channels.server")

_MEBIBYTE = 1024 * 1024
_GRACEFUL_SECONDS = 1.0
"""A developer who stops the server doesn't want to wait."""
_RELOAD_GRACEFUL_SECONDS = 0.5
"""Still less so one who has changed a file."""


def get_default_application() -> Any:
    """Imports what the setting ASGI_APPLICATION names.

    Raises:
        ImproperlyConfigured: there is no such setting, module or attribute; Daphne's texts.
    """
    try:
        path, name = settings.ASGI_APPLICATION.rsplit(".", 1)
    except (ValueError, AttributeError):
        raise ImproperlyConfigured("Cannot find ASGI_APPLICATION setting.") from None
    try:
        module = importlib.import_module(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"Cannot import ASGI_APPLICATION module {path!r}") from error
    try:
        return getattr(module, name)
    except AttributeError:
        raise ImproperlyConfigured(
            f"Cannot find {name!r} in ASGI_APPLICATION module {path}"
        ) from None


class Command(RunserverCommand):
    """Same as Daphne's command: its options, its log lines, static files, and the auto-reloader.

    Differs from Daphne: the banner has the port that was really taken, and a port that can't be
    had ends the command with status 1; the application gets to clean up before a reload. Subclasses
    may override `get_application`, `serve`, `log_action` and `on_bind`; a `serve` of theirs sets
    `stop_serving`, which asks its server from another thread to stop.
    """

    protocol = "http"
    server_name = f"ASGI/cppasgi version {__version__}"
    stop_serving: Callable[[], object] | None = None
    _use_asgi: bool = True
    _serving_thread: threading.Thread | None = None

    def add_arguments(self, parser: Any) -> None:
        """Adds Daphne's options to Django's."""
        super().add_arguments(parser)
        add = parser.add_argument
        add(
            "--noasgi",
            action="store_false",
            dest="use_asgi",
            help="Run Django's own WSGI server instead of the ASGI one",
        )
        add(
            "--http_timeout",
            type=argument_type(time_limit),
            help="Seconds a response may take to start, then 503 (default: no limit)",
        )
        add(
            "--websocket_handshake_timeout",
            type=argument_type(time_limit_or_none),
            default=5,
            help="Seconds a WebSocket handshake may take to be answered (default: 5)",
        )
        for unit in ("message", "frame"):
            add(
                f"--websocket-max-{unit}-size",
                type=int,
                help=f"Largest incoming WebSocket {unit} in bytes, 0 is no limit (default: the "
                f"setting DAPHNE_WEBSOCKET_MAX_{unit.upper()}_SIZE, or {_MEBIBYTE})",
            )
        if apps.is_installed("django.contrib.staticfiles"):
            add(
                "--nostatic",
                action="store_false",
                dest="use_static_handler",
                help="Tells Django to NOT automatically serve static files at STATIC_URL.",
            )
            add(
                "--insecure",
                action="store_true",
                dest="insecure_serving",
                help="Allows serving static files even if DEBUG is False.",
            )

    def handle(self, *args: Any, **options: Any) -> None:
        """Checks the settings, then does as Django's command.

        Raises:
            CommandError: ASGI_APPLICATION isn't set.
        """
        # Django's global settings have the name, with None, since 4.2.
        if options["use_asgi"] and not getattr(settings, "ASGI_APPLICATION", None):
            raise CommandError(
                "You have not set ASGI_APPLICATION, which is needed to run the server."
            )
        super().handle(*args, **options)

    def run(self, **options: Any) -> None:
        """Serves, with the auto-reloader unless that is switched off.

        Where that has the process end, it raises in the main thread; the server is in another.
        """
        if options["use_reloader"] and options["use_asgi"] and is_above():
            sys.exit(serve_in_children())
        try:
            super().run(**options)
        finally:
            self._wait_for_server()

    def _wait_for_server(self) -> None:
        thread, stop = self._serving_thread, self.stop_serving
        if thread is None or stop is None or thread is threading.current_thread():
            return
        # The process above passes on a signal that may have come here by itself.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stop()
        with contextlib.suppress(KeyboardInterrupt):
            thread.join(STOP_SECONDS)

    def inner_run(self, *args: Any, **options: Any) -> None:
        """Checks the project and serves it; under the auto-reloader in a thread of its own."""
        self._use_asgi = options["use_asgi"]
        if not self._use_asgi:
            self.server_cls = RunserverCommand.server_cls  # a subclass may have Daphne's
            super().inner_run(*args, **options)
            return
        self._serving_thread = threading.current_thread()
        autoreload.raise_last_exception()
        if not options["skip_checks"]:
            self.stdout.write("Performing system checks...\n\n")
            self.check(display_num_errors=True)
        self.check_migrations()
        connections.close_all()
        try:
            self.serve(self.get_application(options), options)
        except ListenError as error:
            self.stderr.write(f"Listen failure: {error}")
            # Not sys.exit, which would end only the thread that the auto-reloader made.
            os._exit(1)
        except KeyboardInterrupt:
            if options.get("shutdown_message"):
                self.stdout.write(options["shutdown_message"])

    def serve(self, application: Any, options: dict[str, Any]) -> None:
        """Serves until the process ends, or a signal comes where there is no auto-reloader.

        Raises:
            ListenError: the address can't be listened on.
        """
        server = Server(
            log_actions(application, self.log_action),
            host=self.addr,
            port=int(self.port),
            signal_handlers=not options["use_reloader"],
            worker_timeout=0,  # there may be a debugger on the terminal
            http_timeout=options["http_timeout"] or 0,
            root_path=settings.FORCE_SCRIPT_NAME or "",
            websocket_connect_timeout=options["websocket_handshake_timeout"],
            websocket_max_message_size=self.size_limit("MESSAGE", options),
            websocket_max_frame_size=self.size_limit("FRAME", options),
            graceful_timeout=(
                _RELOAD_GRACEFUL_SECONDS if options["use_reloader"] else _GRACEFUL_SECONDS
            ),
            ready_callable=lambda: self.on_bind(server.addresses[0][1]),
        )
        self.stop_serving = server.shutdown
        server.run()

    def on_bind(self, server_port: int | str) -> None:
        """Prints the banner, once connections are accepted; with ``--noasgi`` it is Django's."""
        if not self._use_asgi:
            super().on_bind(server_port)
            return
        now = datetime.datetime.now().strftime("%B %d, %Y - %X")
        address = f"[{self.addr}]" if self._raw_ipv6 else self.addr
        self.stdout.write(
            f"{now}\n"
            f"Django version {self.get_version()}, using settings {settings.SETTINGS_MODULE!r}\n"
            f"Starting {self.server_name} development server at "
            f"{self.protocol}://{address}:{server_port}/\n"
            "Quit the server with CONTROL-C.\n"
        )

    def get_application(self, options: dict[str, Any]) -> Any:
        """Returns the application, with the static files where Django would serve them."""
        application = get_default_application()
        use_static = options.get(
            "use_static_handler", apps.is_installed("django.contrib.staticfiles")
        )
        if use_static and (settings.DEBUG or options.get("insecure_serving", False)):
            return ASGIStaticFilesHandler(application)
        return application

    def log_action(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        """Writes a line to the logger ``django.channels.server``, in Django's colours."""
        if protocol == "http" and action == "complete":
            self._log_response(details)
            return
        words = {
            "connecting": "HANDSHAKING",
            "connected": "CONNECT",
            "disconnected": "DISCONNECT",
            "rejected": "REJECT",
        }
        logger.info(f"WebSocket {words[action]} %(path)s [%(client)s]", details)

    def _log_response(self, details: dict[str, Any]) -> None:
        status = details["status"]
        if status < 200:
            log, style = logger.info, self.style.HTTP_INFO
        elif status < 300:
            log, style = logger.info, self.style.HTTP_SUCCESS
        elif status == 304:
            log, style = logger.info, self.style.HTTP_NOT_MODIFIED
        elif status < 400:
            log, style = logger.info, self.style.HTTP_REDIRECT
        elif status == 404:
            log, style = logger.warning, self.style.HTTP_NOT_FOUND
        elif status < 500:
            log, style = logger.warning, self.style.HTTP_BAD_REQUEST
        else:
            log, style = logger.error, self.style.HTTP_SERVER_ERROR
        log(style("HTTP %(method)s %(path)s %(status)s [%(time_taken).2f, %(client)s]"), details)

    def size_limit(self, unit: str, options: dict[str, Any]) -> int:
        """Returns the limit for a ``MESSAGE`` or ``FRAME`` in bytes: option, setting, or 1 MiB."""
        value = options[f"websocket_max_{unit.lower()}_size"]
        if value is None:
            value = getattr(settings, f"DAPHNE_WEBSOCKET_MAX_{unit}_SIZE", _MEBIBYTE)
        return int(value)
