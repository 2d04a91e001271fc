"""The ``daphne`` command: cppasgi's, with Daphne's defaults and `Server`."""

import sys

from cppasgi.command.cli import CommandLineInterface as CppasgiCommandLineInterface
from cppasgi.settings.endpoints import EndpointError
from daphne.server import Server
from daphne.utils import import_by_path


class CommandLineInterface(CppasgiCommandLineInterface):
    """Same as Daphne's class, for programs that run or extend it.

    `server_class` gets the arguments of Daphne's `Server`, and those of `cppasgi.Server` for the
    flags that only cppasgi has. The access log is ``access_log``, not an ``action_logger``.
    """

    description = "Django HTTP/WebSocket server"
    server_class = Server

    def __init__(self):
        super().__init__()
        self.parser.prog = "daphne"
        self.parser.set_defaults(server_name="daphne", daphne_strict=True)

    def load_asgi_app(self, asgi_app_path):
        """Imports ``module:attribute``, whatever it is; a hook for subclasses."""
        return import_by_path(asgi_app_path)

    def server_arguments(self, options):
        """Adds what Daphne gives its server twice."""
        arguments = super().server_arguments(options)
        return {**arguments, "websocket_handshake_timeout": options.websocket_connect_timeout}

    def run(self, args):
        """Parses ``args`` and serves; an endpoint that can't be had is exit status 1."""
        try:
            super().run(args)
        except EndpointError as error:
            self.parser.error(str(error))
        if self.server.abort_start:
            sys.exit(1)
