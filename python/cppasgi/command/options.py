"""The flags of the ``cppasgi`` command, made from the tables of settings, and ``--help``.

The command line alone has ``--config``, ``--check`` and ``--version``.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from cppasgi import _native
from cppasgi.settings.command_settings import CommandSettings
from cppasgi.settings.server_settings import ServerSettings
from cppasgi.settings.setting import ADDRESSES, GROUPS, SWITCH, Setting, settings_of

DAPHNE_FLAGS = (
    *("--access-log", "--application-close-timeout", "--bind", "--endpoint", "--fd", "--help"),
    *("--http-timeout", "--log-fmt", "--no-server-name", "--ping-interval", "--ping-timeout"),
    *("--port", "--proxy-headers", "--proxy-headers-host", "--proxy-headers-port", "--root-path"),
    *("--server-name", "--unix-socket", "--verbosity", "--websocket-max-frame-size"),
    *("--websocket-max-message-size", "--websocket_connect_timeout", "--websocket_timeout"),
)
"""Their abbreviations mean the same as with Daphne, whatever other flags there are."""


class Append(argparse.Action):
    """Collects a list. The first flag begins a new one: what was configured elsewhere gives way.

    Attributes:
        split: takes the text of an environment variable apart, which has all of the list.
    """

    split: Callable[[str], list[str]]

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Adds ``values`` to the list of flags; a tuple is the default or configured elsewhere."""
        collected = getattr(namespace, self.dest)
        collected = collected if isinstance(collected, list) else []
        setattr(namespace, self.dest, [*collected, values])


class Switch(argparse.Action):
    """On with ``--NAME``; ``--no-NAME`` undoes what was switched on elsewhere."""

    def __init__(
        self, option_strings: Sequence[str], dest: str, *, help: str, default: bool | None = False
    ) -> None:
        """Adds the second name to ``--NAME``, the only one of ``option_strings``."""
        (name,) = option_strings
        names = [name, f"--no-{name.removeprefix('--')}"]
        super().__init__(names, dest, nargs=0, default=default, help=help)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Stores whether it was the first name."""
        setattr(namespace, self.dest, option_string == self.option_strings[0])


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
        self.server_options = [
            one.dest
            for _, one in settings_of(ServerSettings)
            if one.group not in ("", ADDRESSES) and one.is_passed
        ]
        groups = {title: self.add_argument_group(title) for title in GROUPS}
        actions = {one.dest: _add_flag(groups[one.group], one) for one in _flags()}
        self.arg_proxy_host = actions["proxy_headers_host"]
        self.arg_proxy_port = actions["proxy_headers_port"]
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


def argument_type(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Makes the type of an argument, whose message is that of ``read``'s ValueError."""

    def typed(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed


def fixed_options() -> Iterator[str]:
    """Names of the values that count from a supervisor's start to its end."""
    return (one.dest for one in _flags() if one.is_fixed)


def is_supervised(options: argparse.Namespace) -> bool:
    """Whether flags ask for a supervisor with workers instead of a single process."""
    wanted = ("max_requests", "worker_lifetime", "worker_max_rss", "reload", "metrics")
    return options.workers > 1 or any(getattr(options, name) for name in wanted)


def warnings_of(options: argparse.Namespace) -> list[str]:
    """What is odd about the configuration, but doesn't keep the server from starting."""
    warnings = list(options.configuration_warnings)
    if not options.reload and (
        options.reload_dir or options.reload_include or options.reload_exclude
    ):
        warnings.append("What --reload-dir, -include and -exclude say counts with --reload only")
    return warnings


def _flags() -> list[Setting]:
    """All settings that are flags, by groups; those that may be repeated come last."""
    tables = (CommandSettings, ServerSettings)
    flags = [one for table in tables for _, one in settings_of(table) if one.group]
    return sorted(flags, key=lambda one: (GROUPS.index(one.group), one.kind.is_repeated))


def _add_flag(group: argparse._ArgumentGroup, one: Setting) -> argparse.Action:
    """Adds the flag of a setting, and the one that says that there is to be no value."""
    arguments: dict[str, Any] = {
        "dest": one.dest,
        "default": one.default,
        "help": f"{one.help} (default: {one.shown})".replace("%", "%%"),
    }
    if one.kind is SWITCH:
        return group.add_argument(*one.flags, action=Switch, **arguments)
    arguments["metavar"] = one.unit
    if one.kind.is_repeated:
        action = group.add_argument(
            *one.flags, action=Append, type=argument_type(one.kind.read), **arguments
        )
        action.split = one.kind.split  # type: ignore[attr-defined]
        return action
    if one.kind.is_list:  # given as a whole
        arguments["default"] = list(one.default)
    if one.kind.choices:
        arguments["choices"] = one.kind.choices
    action = group.add_argument(*one.flags, type=argument_type(one.read), **arguments)
    action.takes_list = one.kind.is_list  # type: ignore[attr-defined]
    if one.off:
        same = f"the same as {one.flags[-1]} ''"
        group.add_argument(one.off, dest=one.dest, action="store_const", const="", help=same)
    return action


def _expanded(argument: str) -> str:
    name, equals, value = argument.partition("=")
    found = [flag for flag in DAPHNE_FLAGS if flag.startswith(name)]
    if len(name) > 2 and name.startswith("--") and len(found) == 1:
        return found[0] + equals + value
    return argument
