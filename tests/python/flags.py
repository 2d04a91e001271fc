"""Every flag: what it takes, what that becomes, and what it refuses."""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

from cppasgi.command.configuration import configured
from cppasgi.command.options import OptionParser


class Flag(NamedTuple):
    """A flag with what it takes, what that becomes, and what it refuses."""

    name: str
    good: str
    value: object
    bad: tuple[str, ...] = ()


def times(name: str, *more_bad: str) -> Flag:
    return Flag(name, "2.5", 2.5, ("soon", "nan", "-nan", "", *more_bad))


def numbers(name: str, *more_bad: str) -> Flag:
    return Flag(name, "7", 7, ("many", "1.5", "-1", "2147483648", "", *more_bad))


FLAGS = [
    Flag("--config", "/dev/null", "/dev/null", ("/no/such/file", "/")),
    Flag("--bind", "::1", "::1", ("a\nb",)),
    Flag("--port", "0", 0, ("http", "65536", "-1", "")),
    Flag("--unix-socket", "/run/a.sock", "/run/a.sock", ("/run/\udcff",)),
    Flag("--fd", "3", 3, ("one", "-1")),
    Flag("--unix-socket-mode", "660", 0o660, ("rw-rw----", "680", "66", "1777")),
    Flag("--endpoint", "tcp:80", ["tcp:80"]),
    Flag("--app-dir", "/", "/", ("/no/such/folder", "/dev/null")),
    Flag("--env-file", "/dev/null", "/dev/null", ("a\nb",)),
    Flag("--reload-dir", "/", ["/"], ("/no/such/folder",)),
    Flag("--reload-include", "*.html", ["*.html"], (".",)),
    Flag("--reload-exclude", "tests", ["tests"], (".",)),
    Flag(
        "--header",
        "X-Frame-Options: DENY ",
        [("X-Frame-Options", "DENY")],
        ("X-Frame-Options", ": a", "X Y: a", "X: caf\u00e9", "Content-Length: 1", "server: a"),
    ),
    Flag("--access-log-exclude", "/healthz", ["/healthz"], ("healthz", "/a?b", "/a b", "/\u00e9")),
    Flag("--root-path", "/prefix", "/prefix", ("/\udcff", "/\t")),
    Flag("--lifespan", "on", "on", ("maybe", "")),
    Flag("--loop", "asyncio", "asyncio", ("twisted", "")),
    times("--graceful-timeout", "-1", "-inf"),
    times("--application-close-timeout", "-1", "-inf"),
    times("--drain-delay", "-1", "-inf"),
    times("--ws-drain-window", "-1", "-inf"),
    Flag("--workers", "3", 3, ("0", "-1", "many", "1025", "")),
    numbers("--max-requests"),
    times("--worker-lifetime", "-1", "-inf"),
    numbers("--worker-max-rss"),
    times("--worker-timeout", "-1", "-inf"),
    times("--slow-callback", "-1", "-inf"),
    Flag(
        "--metrics",
        "[::1]:9100",
        r"tcp:port=9100:interface=\:\:1",
        ("9100", ":9100", "localhost:", "localhost:http", "unix:"),
    ),
    Flag(
        "--forwarded-allow-ips",
        "10.0.0.1/8, ::1,unix,*",
        ["10.0.0.0/8", "::1/128", "unix", "*"],
        ("localhost", "10.0.0.0/33", "::1,", "fe80::1%eth0"),
    ),
    Flag("--proxy-headers-host", "X-Real-IP", "X-Real-IP", ("X Real", "X:")),
    Flag("--proxy-headers-port", "X-Real-Port", "X-Real-Port", ("X\n",)),
    Flag("--server-name", "mine", "mine", ("a\r\nb: c",)),
    times("--http-timeout", "-1", "-inf"),
    times("--timeout-request-header", "-1", "-inf"),
    times("--timeout-request-body", "-1", "-inf"),
    times("--timeout-send", "-1", "-inf"),
    times("--timeout-keep-alive", "-1", "-inf"),
    numbers("--limit-request-line", "0"),
    numbers("--limit-request-header", "0"),
    numbers("--limit-request-fields", "0"),
    numbers("--limit-request-body"),
    numbers("--limit-keep-alive-requests"),
    numbers("--limit-concurrency", "0"),
    times("--timeout-after-disconnect", "-1", "-inf"),
    times("--websocket_connect_timeout"),
    times("--websocket_timeout"),
    numbers("--websocket-max-message-size"),
    numbers("--websocket-max-frame-size"),
    times("--timeout-websocket-idle", "-1", "-inf"),
    times("--timeout-websocket-close", "-1", "-inf"),
    times("--timeout-websocket-message", "-1", "-inf"),
    numbers("--limit-websocket-queue", "0"),
    numbers("--limit-websocket-unsent", "0"),
    numbers("--limit-websocket-unfinished"),
    Flag("--websocket-slow-reader", "drop", "drop", ("cut", "")),
    times("--ping-interval"),
    times("--ping-timeout"),
    Flag("--ws-deflate", "dedicated", "dedicated", ("on", "")),
    numbers("--ws-deflate-level", "0", "10"),
    Flag("--ws-deflate-window-bits", "15", 15, ("8", "16", "wide", "")),
    numbers("--ws-deflate-memory-level", "0", "10"),
    numbers("--ws-deflate-threshold", "0"),
    numbers("--ws-deflate-memory"),
    Flag("--verbosity", "3", 3, ("4", "-1", "loud")),
    Flag("--access-log", "-", "-"),
    Flag(
        "--log-format",
        "%(h)s %({X-Request-ID}i)s",
        "%(h)s %({X-Request-ID}i)s",
        ("", "apache", "%(z)s", "%h", "%(h)s %({a b}i)s", "%(h)s\n"),
    ),
    Flag("--log-config", "/no/such/file", "/no/such/file"),
    Flag("--log-fmt", "%(message)s", "%(message)s", ("%(asctime", "%(nope)s", "%(msecs)q")),
]
SWITCHES = [
    *("--check", "--daphne-strict", "--proxy-headers", "--no-server-name", "--reload"),
    *("--sendfile", "--factory", "--date-header", "--proxy-protocol"),
]
LISTS = [
    *("--endpoint", "--header", "--access-log-exclude"),
    *("--reload-dir", "--reload-include", "--reload-exclude"),
]
GOOD = {flag.name: flag.good for flag in FLAGS}
BAD = [(flag.name, bad) for flag in FLAGS for bad in flag.bad]
CONFIGURABLE = [flag for flag in FLAGS if flag.name != "--config"]


def action(name: str) -> argparse.Action:
    return next(a for a in OptionParser("")._actions if name in a.option_strings)


def key(name: str) -> str:
    return name.removeprefix("--").replace("_", "-")


def parse(*args: str, environ: dict[str, str] | None = None, config: str | None = None) -> Any:
    """Parses as the command does, with this environment and file."""
    parser = OptionParser("")
    return parser.parse_args(args, configured(parser, config, environ or {}))
