"""What a request costs an application without any server: ``GET /`` by 16 callers on uvloop.

``python benchmarks/floor/alone.py django_app:application [SECONDS]``, with the Python of the peers'
virtual environment. Prints CPU microseconds per request.
"""

from __future__ import annotations

import asyncio
import pkgutil
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

CALLERS = 16
SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.5"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"127.0.0.1:8000")],
    "client": ("127.0.0.1", 40000),
    "server": ("127.0.0.1", 8000),
}


async def request(application: Any) -> None:
    """Call the application once, and check that it answered 200."""
    unread = [{"type": "http.request", "body": b"", "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if unread:
            return unread.pop()
        await asyncio.Event().wait()  # a client that stays
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    # A task of its own, as servers make it: with a context of its own.
    await asyncio.ensure_future(application(dict(SCOPE), receive, send))
    assert sent[0]["status"] == 200


async def load(application: Any, seconds: float) -> int:
    """Return how many requests were answered in so many seconds."""
    end = time.monotonic() + seconds

    async def caller() -> int:
        count = 0
        while time.monotonic() < end:
            await request(application)
            count += 1
        return count

    return sum(await asyncio.gather(*(caller() for _ in range(CALLERS))))


async def main(application: Any, seconds: float) -> None:
    """Warm up, measure, print."""
    await load(application, 1)
    before = time.process_time()
    count = await load(application, seconds)
    print(f"{(time.process_time() - before) / count * 1e6:,.0f}")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1] / "apps"))
    uvloop.run(main(pkgutil.resolve_name(sys.argv[1]), float(sys.argv[2]) if sys.argv[2:] else 3.0))
