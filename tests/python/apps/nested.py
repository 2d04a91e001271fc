"""Runs its event loop inside itself, as nest_asyncio lets it.

The variables NEST and NEST_AT say by which module, and when that patches asyncio: at ``import`` or
in the first ``call``.
"""

import asyncio
import importlib
import os
from typing import Any

from apps.reports import text

nest = importlib.import_module(os.environ["NEST"])
at_import = os.environ["NEST_AT"] == "import"
if at_import:
    nest.apply()


async def inner(scope: Any, name: str) -> str:
    """Waits for a timer, a thread, another task, and for a request to this server."""
    await asyncio.sleep(0.01)
    thread = await asyncio.to_thread(lambda: "thread")
    task = await asyncio.create_task(asyncio.sleep(0, "task"))
    reader, writer = await asyncio.open_connection(*scope["server"])
    writer.write(b"POST /plain HTTP/1.0\r\nContent-Length: 5\r\n\r\n")
    await asyncio.sleep(0.01)  # so that the application waits for the content
    writer.write(b"inner")
    response = (await reader.read()).decode()
    writer.close()
    return " ".join([name, thread, task, response.partition("\r\n\r\n")[2]])


def run_inside(scope: Any, name: str) -> str:
    """Code without ``async`` that wants the result of some."""
    if not at_import:
        nest.apply()
    if name == "run":
        return asyncio.run(inner(scope, name))
    return asyncio.get_event_loop().run_until_complete(inner(scope, name))


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": run_inside(scope, message["text"])})
        return
    assert scope["type"] == "http"
    body = (await receive())["body"].decode()
    if scope["path"] == "/plain":
        await text(send, f"plain {body}")
    else:
        await text(send, run_inside(scope, scope["path"][1:]))
