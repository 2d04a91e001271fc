"""Forks in the middle of a request, /HOW, or of a WebSocket's message, and tells the exit status.

The child does what the function says that is named HOW.
"""

import asyncio
import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import cppasgi
from apps.reports import text
from cppasgi import _native

fork = multiprocessing.get_context("fork")


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await text(send, str(await run(scope["path"].lstrip("/"))))
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": str(await run(message["text"]))})
    else:
        raise ValueError("no lifespan")


async def run(how: str) -> object:
    """The status of the child; "echo" has none, and "after" another callback."""
    if how in ("echo", ""):
        return how
    if how == "thread":
        return await asyncio.to_thread(lambda: os.waitstatus_to_exitcode(forked(leave)))
    if how.startswith("process-"):
        child = fork.Process(target=globals()[how.removeprefix("process-")])
        child.start()
        await asyncio.to_thread(child.join)
        return child.exitcode
    if how == "terminated":
        child = fork.Process(target=time.sleep, args=(60,))
        child.start()
        child.terminate()
        await asyncio.to_thread(child.join)
        return child.exitcode
    pid = os.fork()
    if pid != 0 and how == "stay":
        return pid
    if pid == 0:
        ends: Any = globals()[how]
        result = ends()
        return await result if asyncio.iscoroutine(result) else result
    # Not waitpid() here: the parent's loop has to go on, and be reached from its threads.
    _, status = await asyncio.to_thread(os.waitpid, pid, 0)
    return os.waitstatus_to_exitcode(status)


def forked(function: Callable[[], object]) -> int:
    """Runs a function in a child, and waits for its end."""
    pid = os.fork()
    if pid == 0:
        function()
        os._exit(1)
    return os.waitpid(pid, 0)[1]


def leave() -> None:
    os._exit(7)


def exit() -> None:
    sys.exit(7)


def fail() -> None:
    raise LookupError("in a child")


def interrupt() -> None:
    raise KeyboardInterrupt


def come_back() -> str:
    """As if nobody had forked."""
    return "of the child"


async def wait() -> str:
    await asyncio.sleep(0.05)
    return "of the child"


def close() -> None:
    """Closes whatever there is of the server."""
    for each in gc.get_objects():
        if isinstance(each, cppasgi.Server):
            each.shutdown()
            native: Any = each._native
            assert isinstance(native, _native.Server)
            native.drain(lambda: None)
            native.close()
    os._exit(7)


def stay() -> None:
    """Lives on."""
    time.sleep(60)


def run_loop() -> None:
    """Has a loop of its own, and lets go of whatever it can."""
    asyncio.run(asyncio.sleep(0.01))
    gc.collect()
    os._exit(7)
