"""One process that serves a site and, at another port, what monitoring says of it.

As a supervisor would, but without one: `python -m apps.monitored [SITE]` prints the address of the
monitoring, of the site and of a second, unready monitoring as a line of JSON. A line on standard
input retires the site's slot.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import time

import cppasgi
from cppasgi import _native
from cppasgi.observing.board import MetricsBoard
from cppasgi.observing.monitoring import SupervisorStatus, WorkerStatus, monitoring_application


async def main() -> None:
    module, _, name = (sys.argv[1] if sys.argv[1:] else "apps.probe:app").partition(":")
    site = getattr(importlib.import_module(module), name)
    arguments = json.loads(sys.argv[2]) if sys.argv[2:] else {}
    board = MetricsBoard.create(slots=4)
    slot = board.allocate()
    worker = WorkerStatus(0, slot, os.getpid(), "ready", time.monotonic())
    status = SupervisorStatus([worker], {"exited": 2}, time.monotonic(), unready="", wanted=1)
    unready = SupervisorStatus([worker], {}, time.monotonic(), unready="out of luck", wanted=1)
    monitoring = cppasgi.Server(monitoring_application(board, lambda: status), port=0)
    second = cppasgi.Server(monitoring_application(board, lambda: unready), port=0)
    server = cppasgi.Server(site, port=0, metrics=slot, **arguments)
    loop = asyncio.get_running_loop()
    everything = [loop.create_task(one.serve()) for one in (monitoring, server, second)]
    for one in (monitoring, server, second):
        await one.started()
    print(json.dumps([one.addresses[0] for one in (monitoring, server, second)]), flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    server.shutdown()
    await everything[1]
    board.retire(slot)
    status.workers.clear()
    print("retired", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    monitoring.shutdown()
    second.shutdown()
    await asyncio.gather(*everything)


if __name__ == "__main__":
    assert _native.METRICS_BYTES > 0
    asyncio.run(main())
