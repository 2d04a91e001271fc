"""The application that both servers run: does what a script says and records what it sees.

TEST_RECORDING names a folder. Its file `script` has a case's name and the steps of its application,
`(name, steps)`; each call appends lines `(call, kind, value)` to the file of that name: the scope,
events, what was raised, and the end.
"""

from __future__ import annotations

import ast
import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["TEST_RECORDING"])

_calls: dict[str, int] = {}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Runs the script that is there when the request comes."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    name, steps = ast.literal_eval((FOLDER / "script").read_text())
    call = _calls[name] = _calls.get(name, -1) + 1
    # Unbuffered: what is recorded is there before the next byte goes to the client.
    with (FOLDER / name).open("ab", buffering=0) as file:

        def record(kind: str, value: Any = None) -> None:
            file.write(f"{(call, kind, value)!r}\n".encode())

        record("scope", dict(scope))
        try:
            for step in steps:
                await _do(step, receive, send, record)
        except asyncio.CancelledError:
            record("cancelled")
            raise
        finally:
            record("end")


async def _do(step: tuple[Any, ...], receive: Any, send: Any, record: Callable[..., None]) -> None:
    async def event() -> Any:
        received = await receive()
        record("event", received)
        return received

    match step:
        case ("receive",):
            await event()
        case ("read",):  # all of the content
            while (await event()).get("more_body"):
                pass
        case ("leave",):  # wait until the client leaves
            while not (await event())["type"].endswith(".disconnect"):
                pass
        case ("send", message):
            try:
                await send(message)
            except Exception as error:
                record("raised", _shown(error))
        case ("send or fail", message):
            await send(message)
        case ("echo",):
            while (received := await event())["type"] == "websocket.receive":
                await send({**received, "type": "websocket.send"})
        case ("raise",):
            raise ValueError("as the script says")
        case ("sleep", seconds):
            await asyncio.sleep(seconds)
        case _:
            raise AssertionError(step)


def _shown(error: Exception) -> str:
    kind = "OSError" if isinstance(error, OSError) else type(error).__name__
    return f"{kind}: {error}"


async def _lifespan(receive: Any, send: Any) -> None:
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})
