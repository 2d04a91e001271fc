"""A rough day of an operator: a mixed load goes on while one accident follows another.

Nobody waits longer than two seconds, and no connection breaks, unless its own worker was the
victim; what the server counted is what the clients counted, but for the victims' open work; nothing
grows. `TEST_ROUGH_MINUTES` is how long the day is (30 is the proof that counts), `TEST_SEED`
repeats it.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import services
from ports import free_port
from processes import descriptors_of, is_alive, resident, workers_of
from prometheus_client.parser import text_string_to_metric_families
from rough_day import REDIS, Harm, RoughDay
from server_process import ServerProcess

HERE = Path(__file__).parent
SECONDS = 60 * float(os.environ.get("TEST_ROUGH_MINUTES", "0.6"))
SEED = os.environ.get("TEST_SEED") or str(random.randrange(10**6))
EVERYONE = 10
"""Clients of each of three kinds."""
STUCK_AFTER = 2
"""Seconds of --worker-timeout."""
STOPPED = 5
"""Seconds that a worker is stopped by SIGSTOP."""
PAUSE = 3
"""Seconds between two accidents."""
DISK = 64 << 20
MIB = 1 << 20
MOST_GROWTH = 16 * MIB

pytestmark = pytest.mark.timeout(int(2 * SECONDS) + 180)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system that is soon full; an ordinary folder where this user may not mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True).returncode == 0
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


@dataclass
class Site:
    """The server, its surroundings, and what can befall them."""

    process: ServerProcess
    metrics_port: int
    redis: services.Redis
    disk: Path
    day: RoughDay
    happened: list[str] = field(default_factory=list)

    def metrics(self) -> dict[str, float]:
        """The sums of all samples with one name, and each sample by name and labels."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(httpx.get(url, timeout=10).text):
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0) + sample.value
        return found

    def access_lines(self) -> int:
        """Those of requests."""
        return len(re.findall(r'"GET /\S*" ', (self.disk / "access").read_text()))

    def workers(self) -> list[int]:
        return [pid for pid in workers_of(self.process) if is_alive(pid)]

    async def until(self, what: str, condition: Callable[[], bool], timeout: float = 30) -> None:
        end = time.monotonic() + timeout
        while True:
            with suppress(FileNotFoundError, httpx.HTTPError):
                if condition():
                    return
            assert time.monotonic() < end, f"{what} didn't happen\n{self.process.log()[-5000:]}"
            await asyncio.sleep(0.1)

    def all_serve(self) -> bool:
        ready = re.findall(r"is ready, process (\d+)", self.process.log())
        workers = self.workers()
        return len(workers) == 2 and all(str(pid) in ready for pid in workers)

    @asynccontextmanager
    async def harm(self, what: str, pid: int) -> AsyncIterator[None]:
        harm = Harm(what, pid, time.monotonic())
        self.day.harms.append(harm)
        yield
        harm.end = time.monotonic()

    # --- accidents ---

    async def reload(self) -> None:
        before = self.workers()
        self.process.send_signal(signal.SIGHUP)
        await self.until("the reload", lambda: set(before).isdisjoint(self.workers()))

    async def kill(self) -> None:
        pid = self.day.random.choice(self.workers())
        async with self.harm("kill -9", pid):
            os.kill(pid, signal.SIGKILL)
            await self.until("a new worker", lambda: pid not in self.workers() and self.all_serve())

    async def block(self) -> None:
        reader, writer = await asyncio.open_connection(*self.day.address)
        writer.write(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        pid = int((await reader.readuntil(b"\r\n\r\n") + await reader.read(100)).split(b"\r\n")[-1])
        self.day.whole += 1
        self.day.broken += 1
        async with self.harm("a blocked loop", pid):
            writer.write(b"GET /block HTTP/1.1\r\nHost: test\r\n\r\n")
            await self.until(
                "the end of the stuck worker",
                lambda: pid not in self.workers() and self.all_serve(),
            )
        writer.close()

    async def stop(self) -> None:
        pid = self.day.random.choice(self.workers())
        async with self.harm("SIGSTOP", pid):
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(STOPPED)
            os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(0.5)
        assert pid in self.workers(), "stopped by a signal isn't stuck"

    async def fill_disk(self) -> None:
        fill = self.disk / "fill"
        with suppress(OSError), fill.open("wb", buffering=0) as file:
            for _ in range(2 * DISK >> 20):
                file.write(bytes(MIB))
            for _ in range(MIB >> 12):
                file.write(bytes(4096))
        await asyncio.sleep(2)
        fill.unlink()

    async def restart_redis(self) -> None:
        async with self.harm("Redis", REDIS):
            self.redis.stop()
            await asyncio.sleep(1)
            self.redis.start()
            await asyncio.sleep(1)

    async def happen(self) -> None:
        """Everything once in random order, and again, until the day is over."""
        end = time.monotonic() + SECONDS
        accidents = (
            *(self.reload, self.kill, self.block, self.stop, self.fill_disk, self.restart_redis),
        )
        while time.monotonic() < end:
            for accident in self.day.random.sample(accidents, len(accidents)):
                await asyncio.sleep(self.day.random.uniform(0.5, 1.5) * PAUSE)
                self.happened.append(accident.__name__)
                await accident()
                await self.until("two workers that serve", self.all_serve)
                assert not self.day.trouble, self.report()
        await asyncio.sleep(PAUSE)
        self.day.over.set()

    def report(self) -> str:
        return "\n".join(
            [
                f"seed {SEED}: {' '.join(self.happened)}",
                *self.day.trouble,
                *map(str, self.day.harms[-3:]),
                self.process.log()[-5000:],
            ]
        )


@pytest.fixture
def site(server_command: list[str], tmp_path: Path, postgres: str) -> Iterator[Site]:
    metrics_port = free_port()
    with services.redis() as redis, small_disk(tmp_path / "disk") as disk:
        process = ServerProcess(
            ["setpriv", "--pdeathsig", "TERM", *server_command],
            "served.rough_day:app",
            (
                *("-p", "0", "--workers", "2", "--worker-timeout", str(STUCK_AFTER)),
                *("--metrics", f"127.0.0.1:{metrics_port}", "--slow-callback", "0"),
                *("--access-log", str(disk / "access"), "--ws-drain-window", "0.5"),
            ),
            tmp_path,
            {"MOMENTS_REDIS": redis.url, "MOMENTS_POSTGRES": postgres},
            cwd=HERE,
        )
        process.wait_until_listening()
        address = (process.host, process.port)
        yield Site(process, metrics_port, redis, disk, RoughDay(address, random.Random(SEED)))
        process.kill()


def test_rough_day(site: Site) -> None:
    day = site.day
    supervisor = site.process.process.pid

    async def live() -> None:
        await site.until("the start", site.all_serve)
        await asyncio.gather(day.run(EVERYONE), site.happen())

    async def warm_up() -> None:
        await site.until("the start", site.all_serve)
        clients = asyncio.create_task(day.run(EVERYONE))
        await asyncio.sleep(5)
        day.over.set()
        await clients
        day.over = asyncio.Event()
        await site.until("the clients' end", lambda: site.metrics()["cppasgi_connections"] == 0)

    asyncio.run(warm_up())
    files, memory = descriptors_of(supervisor), resident(supervisor)
    worker_files = max(map(descriptors_of, site.workers()))
    worker_memory = max(map(resident, site.workers()))
    asyncio.run(live())
    assert not day.trouble, site.report()

    async def calm() -> None:
        await site.until("the clients' end", lambda: site.metrics()["cppasgi_connections"] == 0)

    asyncio.run(calm())
    counted = site.metrics()
    print(
        f"seed {SEED}: {' '.join(site.happened)}; {day.whole} responses ({day.broken} open),"
        f" {day.opened} WebSockets ({day.unopened} open), {day.told} messages to all,"
        f" {day.closed_in_order} closed in order, the slowest step {day.slowest:.2f} s"
    )
    assert day.whole <= counted["cppasgi_http_requests_total"] <= day.whole + day.broken
    ended = counted["cppasgi_websocket_disconnects_total"]
    assert day.opened <= ended <= day.opened + day.unopened
    lines = site.access_lines()
    left_out = int(counted["cppasgi_log_lines_dropped_total"])
    print(f"{lines} access lines, {left_out} left out")
    deaths = site.happened.count("kill") + site.happened.count("block")
    # A response leaves before its line: of a worker that dies in between one may be missing.
    assert day.whole - deaths <= lines + left_out <= day.whole + day.broken
    assert descriptors_of(supervisor) <= files
    assert resident(supervisor) < memory + MOST_GROWTH
    assert max(map(descriptors_of, site.workers())) <= worker_files
    assert max(map(resident, site.workers())) < worker_memory + MOST_GROWTH
    assert site.process.stop() == 0
