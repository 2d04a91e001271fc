"""The flags of the ``cppasgi`` command: names, defaults, values, and the groups of ``--help``.

A flag for the server is one `_serve` call here and one keyword of `cppasgi.Server`: its
value is passed on under the name that argparse derives from the flag.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from cppasgi import _native
from cppasgi.command.process_options import Append, AppendLines, Switch, add_process_options
from cppasgi.command.websocket_options import add_websocket_options
from cppasgi.settings.values import (
    access_log_format,
    field_name,
    folder,
    header,
    line,
    log_format,
    mode,
    number,
    path_of_requests,
    port,
    proxies,
    time_limit,
)

DAPHNE_FLAGS = (
    *("--access-log", "--application-close-timeout", "--bind", "--endpoint", "--fd", "--help"),
    *("--http-timeout", "--log-fmt", "--no-server-name", "--ping-interval", "--ping-timeout"),
    *("--port", "--proxy-headers", "--proxy-headers-host", "--proxy-headers-port", "--root-path"),
    *("--server-name", "--unix-socket", "--verbosity", "--websocket-max-frame-size"),
    *("--websocket-max-message-size", "--websocket_connect_timeout", "--websocket_timeout"),
)
"""Their abbreviations mean the same as with Daphne, whatever other flags there are."""


class OptionParser(argparse.ArgumentParser):
    """The parser behind ``CommandLineInterface.parser``; refuses in one line, with status 2.

    Attributes:
        server_options: names of the values that are keywords of `Server`.
        arg_proxy_host: the action of ``--proxy-headers-host``.
        arg_proxy_port: the action of ``--proxy-headers-port``.
    """

    def __init__(self, description: str) -> None:
        """Defines every flag."""
        super().__init__(
            prog="cppasgi",
            description=description,
            epilog="`cppasgi migrate FILE...` shows how files that start Daphne can start cppasgi.",
            # Each add_argument() makes one, which would look the terminal's width up for itself.
            formatter_class=functools.partial(argparse.HelpFormatter, width=80),
        )
        self.server_options: list[str] = []
        # Not required by argparse: it may be configured elsewhere.
        self.add_argument(
            "application",
            nargs="?",
            default=argparse.SUPPRESS,
            help="the application, as path.to.module:attribute.path",
        )
        self.add_argument(
            "--config",
            metavar="FILE",
            help="TOML file with flags (default: [tool.cppasgi] in ./pyproject.toml). Each flag "
            "may also be an environment variable: --ping-timeout is CPPASGI_PING_TIMEOUT",
        )
        self._add_addresses()
        self._add_application()
        add_process_options(self, self._serve)
        self._add_proxy()
        self._add_requests()
        self._add_connections()
        add_websocket_options(self, self._serve)
        self._add_logging()
        self.add_argument(
            "--check",
            action="store_true",
            help="load application and configuration, report problems, and stop with status 0 or 1",
        )
        self.add_argument("--version", action="version", version=f"%(prog)s {_native.__version__}")

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parses ``args``; abbreviations that Daphne knows stand for Daphne's flags."""
        arguments = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(list(map(_expanded, arguments)), namespace)

    def format_help(self) -> str:
        """Returns the text of ``--help``, as wide as the terminal."""
        self.formatter_class = argparse.HelpFormatter
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Ends the process with one line on standard error and status 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")

    def _serve(self, group: argparse._ActionsContainer, *names: str, **settings: Any) -> None:
        """Adds a flag whose value is a keyword of `Server`; the help ends with the default."""
        default = settings["default"]
        text = ",".join(default) if isinstance(default, list) else default or "none"
        settings["help"] += f" (default: {text})"
        self.server_options.append(group.add_argument(*names, **settings).dest)

    def _add_addresses(self) -> None:
        group = self.add_argument_group("addresses")
        add = group.add_argument
        add(
            "-b",
            "--bind",
            "--host",
            dest="host",
            type=line,
            help="host or address to listen on (default: 127.0.0.1)",
        )
        add("-p", "--port", type=port, help="TCP port; 0 takes a free one (default: 8000)")
        add(
            "-u",
            "--unix-socket",
            type=line,
            help="path of a Unix socket to listen on, instead of TCP",
        )
        add(
            "--unix-socket-mode",
            type=mode,
            metavar="MODE",
            help="permissions of Unix sockets, in octal digits (default: 666, but nothing for whom "
            "the umask lets not even read)",
        )
        add(
            "--fd",
            type=number(0),
            dest="file_descriptor",
            help="descriptor of a bound socket to listen on, instead of TCP",
        )
        add(
            "-e",
            "--endpoint",
            dest="socket_strings",
            metavar="ENDPOINT",
            action=Append,
            default=(),
            help=r"where to listen in Twisted's grammar, such as tcp:8000:interface=\:\:1 or "
            "unix:/run/site.sock:mode=660; may be repeated",
        )

    def _add_application(self) -> None:
        group = self.add_argument_group("application")
        group.add_argument(
            "--factory",
            action=Switch,
            help="what is named isn't the application, but a function that makes it",
        )
        group.add_argument(
            "--app-dir",
            type=folder,
            metavar="FOLDER",
            help="where Python looks for the application first (default: the working directory)",
        )
        group.add_argument(
            "--env-file",
            type=line,
            metavar="FILE",
            help="file with environment variables, KEY=VALUE on each line, for those that aren't "
            "set; needs python-dotenv (cppasgi[env])",
        )
        self._serve(
            group, "--root-path", type=line, default="", help="root_path of every ASGI scope"
        )
        self._serve(
            group,
            "--lifespan",
            choices=("auto", "on", "off"),
            default="auto",
            help="whether the application has ASGI lifespan; auto finds out",
        )
        self._serve(
            group,
            "--loop",
            choices=("auto", "native", "asyncio", "uvloop"),
            default="auto",
            help="event loop; auto is native, cppasgi's own",
        )
        self._serve(
            group,
            "--sendfile",
            action=Switch,
            default=False,
            help="offer the application the ASGI extensions by which the kernel sends files; not "
            "for middleware that reads or changes the content of responses",
        )
        self._serve(
            group,
            "--daphne-strict",
            action=Switch,
            default=False,
            help="Daphne's scopes, no lifespan, no Date, no close frame for a bad WebSocket: what "
            "Daphne's own tests ask for",
        )

    def _add_proxy(self) -> None:
        group = self.add_argument_group("behind a proxy")
        group.add_argument(
            "--proxy-headers",
            action=Switch,
            default=None,  # so that off can be told from not said
            help="believe X-Forwarded-For, -Port, -Proto and Daphne-Root-Path of trusted peers",
        )
        self._serve(
            group,
            "--forwarded-allow-ips",
            type=proxies,
            default=["127.0.0.0/8", "::1", "unix"],
            metavar="LIST",
            help="the trusted peers: addresses, networks, unix for Unix sockets, * for everybody",
        )
        self.arg_proxy_host = group.add_argument(
            "--proxy-headers-host",
            type=field_name,
            metavar="NAME",
            help="field with the client's address instead of X-Forwarded-For",
        )
        self.arg_proxy_port = group.add_argument(
            "--proxy-headers-port",
            type=field_name,
            metavar="NAME",
            help="field with the client's port instead of X-Forwarded-Port",
        )

    def _add_requests(self) -> None:
        group = self.add_argument_group("requests and responses")

        def limit(name: str, default: int, unit: str, text: str, least: int = 1) -> None:
            self._serve(group, name, type=number(least), default=default, metavar=unit, help=text)

        def time(*names: str, default: float, text: str) -> None:
            self._serve(
                group,
                *names,
                type=time_limit,
                default=default,
                metavar="SECONDS",
                help=f"{text}; 0 is no limit",
            )

        self._serve(
            group,
            "-s",
            "--server-name",
            type=line,
            default="cppasgi",
            help="value of the Server header",
        )
        group.add_argument(
            "--no-server-name",
            dest="server_name",
            action="store_const",
            const="",
            help="send no Server header",
        )
        self._serve(
            group,
            "--header",
            dest="headers",
            type=header,
            action=AppendLines,
            default=(),
            metavar="NAME:VALUE",
            help="field of every response that has none of that name; may be repeated",
        )
        time("-t", "--http-timeout", default=0, text="time to the start of a response: 503")
        time("--timeout-request-header", default=30, text="time for a request's head: 408")
        time("--timeout-request-body", default=60, text="time between pieces of a body: 408")
        time("--timeout-send", default=60, text="time until a client reads on, else it is cut")
        limit("--limit-request-line", 16384, "BYTES", "longest request target: 414")
        limit("--limit-request-header", 65536, "BYTES", "size of all header fields: 431")
        limit("--limit-request-fields", 128, "N", "number of header fields: 431")
        limit("--limit-request-body", 0, "BYTES", "longest request body: 413; 0 is no limit", 0)

    def _add_connections(self) -> None:
        group = self.add_argument_group("connections")
        self._serve(
            group,
            "--timeout-keep-alive",
            type=time_limit,
            default=75,
            metavar="SECONDS",
            help="time between two requests; 0 is no limit",
        )
        self._serve(
            group,
            "--limit-keep-alive-requests",
            type=number(0),
            default=100_000,
            metavar="N",
            help="requests of a connection; 0 is no limit",
        )
        self._serve(
            group,
            "--limit-concurrency",
            type=number(1),
            default=65536,
            metavar="N",
            help="connections at a time: 503",
        )

    def _add_logging(self) -> None:
        group = self.add_argument_group("logging")
        add = group.add_argument
        self._serve(
            group,
            "-v",
            "--verbosity",
            type=int,
            choices=range(4),
            default=1,
            help="0 warnings, 1 information, 2 debugging, 3 also asyncio's debug mode",
        )
        add(
            "--access-log",
            metavar="FILE",
            help="file for access log lines, - is standard output (the default from -v 1 on)",
        )
        self._serve(
            group,
            "--log-format",
            dest="access_log_format",
            type=access_log_format,
            default="daphne",
            metavar="FORMAT",
            help="access log lines: daphne, combined, json, or a line with gunicorn's atoms, such "
            "as %%(h)s",
        )
        self._serve(
            group,
            "--access-log-exclude",
            type=path_of_requests,
            action=Append,
            default=(),
            metavar="PATH",
            help="no line for requests of this path, such as /healthz; may be repeated",
        )
        add(
            "--log-fmt",
            type=log_format,
            default="%(asctime)-15s %(levelname)-8s %(message)s",
            help="format of log lines, as in Python's logging, or json",
        )
        add(
            "--log-config",
            metavar="FILE",
            help="file for Python's logging.config.dictConfig, JSON or TOML, instead of that",
        )


def _expanded(argument: str) -> str:
    name, equals, value = argument.partition("=")
    found = [flag for flag in DAPHNE_FLAGS if flag.startswith(name)]
    if len(name) > 2 and name.startswith("--") and len(found) == 1:
        return found[0] + equals + value
    return argument
