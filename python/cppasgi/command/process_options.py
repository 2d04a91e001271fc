"""The flags about processes: how many, how long they live, how they stop, what tells of them."""

from __future__ import annotations

from argparse import Action, ArgumentParser, Namespace, _ActionsContainer
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from cppasgi.settings.stop_times import GRACEFUL_SECONDS
from cppasgi.settings.values import address, folder, glob, number, time_limit, workers


class Serve(Protocol):
    """How a group of flags that stands in a module of its own adds one for the server."""

    def __call__(self, group: _ActionsContainer, *names: str, **settings: object) -> None:
        """Adds a flag that is a keyword of `Server`."""


class Append(Action):
    """Collects a list. The first flag begins a new one: what was configured elsewhere gives way.

    Attributes:
        split: takes the text of an environment variable apart, which has all of the list.
    """

    split: Callable[[str], list[str]] = staticmethod(str.split)

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Adds ``values`` to the list of flags; a tuple is the default or configured elsewhere."""
        collected = getattr(namespace, self.dest)
        collected = collected if isinstance(collected, list) else []
        setattr(namespace, self.dest, [*collected, values])


class AppendLines(Append):
    """The same of values that may have blanks: in a variable each has a line of its own."""

    split = staticmethod(str.splitlines)


class Switch(Action):
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
        parser: ArgumentParser,
        namespace: Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Stores whether it was the first name."""
        setattr(namespace, self.dest, option_string == self.option_strings[0])


def add_process_options(parser: ArgumentParser, serve: Serve) -> None:
    """Adds the groups "stopping" and "processes"."""
    _add_stopping(parser, serve)
    group = parser.add_argument_group("processes")
    add = group.add_argument
    add(
        "--workers",
        type=workers,
        default=1,
        metavar="N",
        help="worker processes, or auto for one per core that this may use (default: 1)",
    )
    add(
        "--max-requests",
        type=number(0),
        default=0,
        metavar="N",
        help="replace a worker after so many requests and WebSockets, give or take a tenth",
    )
    add(
        "--worker-lifetime",
        type=time_limit,
        default=0,
        metavar="SECONDS",
        help="replace a worker after so long, give or take a tenth",
    )
    add(
        "--worker-max-rss",
        type=number(0),
        default=0,
        metavar="MIB",
        help="replace a worker that takes more resident memory",
    )
    add("--reload", action=Switch, help="replace the workers when Python files change")
    for name, metavar, values, text in (
        ("--reload-dir", "FOLDER", folder, "folder to watch instead of the working directory"),
        ("--reload-include", "GLOB", glob, "files to watch beside *.py, such as *.html"),
        ("--reload-exclude", "GLOB", glob, "files, or a folder, not to watch"),
    ):
        add(
            name,
            type=values,
            action=Append,
            default=(),
            metavar=metavar,
            help=f"{text}; may be repeated",
        )
    add(
        "--metrics",
        type=address,
        metavar="ADDRESS",
        help="serve /metrics, /status, /healthz and /readyz at HOST:PORT or unix:PATH, which is a "
        "socket for this user only unless :mode=660 or the like follows",
    )
    serve(
        group,
        "--worker-timeout",
        type=time_limit,
        default=30,
        metavar="SECONDS",
        help="end a process whose event loop has been stuck for so long; 0 is never",
    )
    serve(
        group,
        "--slow-callback",
        type=time_limit,
        default=1,
        metavar="SECONDS",
        help="log the stack when the event loop is blocked for so long; 0 is never",
    )


def _add_stopping(parser: ArgumentParser, serve: Serve) -> None:
    group = parser.add_argument_group("stopping")

    def time(name: str, default: float, text: str) -> None:
        serve(group, name, type=time_limit, default=default, metavar="SECONDS", help=text)

    time(
        "--graceful-timeout", GRACEFUL_SECONDS, "what responses in flight get when the server stops"
    )
    time("--drain-delay", 0, "go on serving so long before a stop begins, for load balancers")
    time("--ws-drain-window", 1, "spread the end of WebSockets and event streams over so long")
    for name, default, text in (
        (
            "--timeout-after-disconnect",
            60,
            "once its client has left, an application that listens for that, or whose response has "
            "a known end, may go on sending in vain for so long; then send() raises; 0 is no limit",
        ),
        (
            "--application-close-timeout",
            0,
            "cancel application calls that go on so long after their response is complete or "
            "their client has left; 0 is never",
        ),
    ):
        serve(group, name, type=time_limit, default=default, metavar="SECONDS", help=text)


def is_supervised(options: Namespace) -> bool:
    """Whether flags ask for a supervisor with workers instead of a single process."""
    wanted = ("max_requests", "worker_lifetime", "worker_max_rss", "reload", "metrics")
    return options.workers > 1 or any(getattr(options, name) for name in wanted)
