"""Load generators: wrk and ``http_load`` for HTTP, ``websocket_load`` for WebSocket.

All count what came back.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers import BUILD, HOST, Running, WrongAnswer

LOADER = BUILD / "websocket_load"
HTTP_LOADER = BUILD / "http_load"
SCRIPT = Path(__file__).parent / "load" / "http.lua"


@dataclass(frozen=True)
class Load:
    """What one run of a load generator counted.

    Attributes:
        count: Responses, echoes, deliveries or connections that came back whole.
        seconds: How long it loaded the server.
        p50_us: Median latency in microseconds.
        p99_us: 99th percentile of latency in microseconds.
        p999_us: 99.9th percentile of latency in microseconds.
    """

    count: int
    seconds: float
    p50_us: float
    p99_us: float
    p999_us: float


# Loads a server from a core for some seconds; raises ``WrongAnswer`` for a single wrong answer.
Loader = Callable[[Running, int, float], Load]


def run_tool(core: int | str, command: list[str], seconds: float) -> str:
    """Run a load generator pinned to ``core``; raise ``WrongAnswer`` when it reports a failure."""
    try:
        done = subprocess.run(
            ["taskset", "-c", str(core), *command],
            capture_output=True,
            text=True,
            timeout=seconds + 30,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise WrongAnswer(f"{Path(command[0]).name} did not end") from error
    if done.returncode != 0:
        raise WrongAnswer(done.stderr.strip() or done.stdout)
    return done.stdout


def parse_wrk(text: str) -> Load:
    """Read wrk's report; raise ``WrongAnswer`` when it counted an error."""
    if error := re.search(r"^ *(Socket errors|Non-2xx).*$", text, re.MULTILINE):
        raise WrongAnswer(f"wrk: {error[0].strip()}")
    unit = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7}
    latency = {
        percent: float(value) * unit[scale]
        for percent, value, scale in re.findall(r"^ +(50|99)% +([\d.]+)(us|ms|s|m) *$", text, re.M)
    }
    total = re.search(r"^ +(\d+) requests in ([\d.]+)(ms|s|m),", text, re.M)
    p999 = re.search(r"^p99.9 ([\d.]+) us$", text, re.M)
    if not total or total[1] == "0" or len(latency) != 2 or not p999:
        raise WrongAnswer(f"wrk printed no result: {text}")
    seconds = float(total[2]) * unit[total[3]] / 1e6
    return Load(int(total[1]), seconds, latency["50"], latency["99"], float(p999[1]))


def parse_json(text: str) -> Load:
    """Read the report of one of our own load generators."""
    result = json.loads(text)
    latencies = (result[name] for name in ("p50_us", "p99_us", "p999_us"))
    return Load(result["count"], result["elapsed_seconds"], *latencies)


@dataclass(frozen=True)
class Http:
    """Requests by wrk, after one that is checked byte for byte.

    Attributes:
        path: The request target.
        expected: The content of the response.
        method: The request method.
        body_bytes: The size of the request's body, a multiple of 16.
        connections: How many connections send requests.
        pipelined: How many requests are sent at once on a connection.
        close: Whether every request has a connection of its own.
        fields: How many header fields a request has, Host included.
        rate: Requests per second over all connections, by ``http_load``, which sends plain GETs
            only; 0 is as fast as responses return.
    """

    path: str
    expected: bytes
    method: str = "GET"
    body_bytes: int = 0
    connections: int = 64
    pipelined: int = 1
    close: bool = False
    fields: int = 1
    rate: float = 0

    def check(self, server: Running, core: int | str) -> None:
        """Compare two responses on one connection with what is expected."""
        body = b"0123456789abcdef" * (self.body_bytes // 16) or None
        connection = http.client.HTTPConnection(HOST, server.port, timeout=10)
        try:
            for _ in range(2):
                connection.request(self.method, self.path, body)
                response = connection.getresponse()
                answer = (response.status, response.read())
                if answer != (200, self.expected):
                    raise WrongAnswer(f"{self.method} {self.path}: {answer!r:.200}")
                if response.will_close:
                    raise WrongAnswer(f"{self.path}: the connection is not kept alive")
        except (OSError, http.client.HTTPException) as error:
            raise WrongAnswer(f"{self.method} {self.path}: {error!r}") from error
        finally:
            connection.close()

    def __call__(self, server: Running, core: int | str, seconds: float) -> Load:
        """Load the server."""
        if self.rate:
            words = (server.port, self.path, self.expected.decode(), self.connections, self.rate)
            paced = [str(HTTP_LOADER), *map(str, words), str(seconds)]
            return parse_json(run_tool(core, paced, seconds))
        # wrk takes whole seconds; its counters are read for as long as it says it really ran.
        command = ["wrk", "-t1", f"-c{self.connections}", f"-d{max(1, round(seconds))}s"]
        command += ["--latency", "--timeout", "10s", "-s", str(SCRIPT)]
        command += [f"http://{HOST}:{server.port}{self.path}", "--", self.method]
        command += [str(self.body_bytes), str(self.pipelined)]
        command += ["close" if self.close else "keep-alive", str(self.fields)]
        return parse_wrk(run_tool(core, command, seconds))


def websocket_command(server: Running, path: str, options: dict[str, object]) -> list[str]:
    """Return the command line of ``websocket_load``; the options are its own, as keywords."""
    command = [str(LOADER), "--host", HOST, "--port", str(server.port), "--path", path]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    return command


class WebSocket:
    """Messages by ``websocket_load``, every echo compared; its command line options as keywords."""

    def __init__(self, path: str = "/ws", **options: object) -> None:
        """Load ``path`` with these options."""
        self.path = path
        self.options = options

    def check(self, server: Running, core: int | str) -> None:
        """Load with few connections for a moment."""
        options = dict(self.options)
        if options.get("workload") != "open":
            options["connections"] = min(2, int(str(options.get("connections", 64))))
        WebSocket(self.path, **options)(server, core, 0.3)

    def __call__(self, server: Running, core: int | str, seconds: float) -> Load:
        """Load the server."""
        options = {**self.options, "duration": seconds}
        return parse_json(run_tool(core, websocket_command(server, self.path, options), seconds))


@contextmanager
def idle_websockets(server: Running, core: int | str, count: int) -> Iterator[None]:
    """Hold ``count`` open WebSockets that send nothing but pongs."""
    options = {"workload": "idle", "connections": count, "duration": 600}
    command = websocket_command(server, "/ws", options)
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line or json.loads(line).get("open") != count:
            raise WrongAnswer(f"not all of {count} WebSockets opened: {line}")
        yield
    finally:
        try:
            _, errors = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            errors = "the idle WebSockets did not close in a minute"
    if process.returncode != 0:
        raise WrongAnswer(errors.strip())
