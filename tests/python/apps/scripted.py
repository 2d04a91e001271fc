"""An application that does what the request's Script field says, right or wrong, and tells later.

A script is the repr of a list of steps, compressed and in base64: `("send", message)`,
`("together", messages)`, `("receive",)`, `("raise", name)`, `("cancel",)`, `("pause",)`.
`Careful: yes` makes the application survive what send() and receive() raise. `GET /outcome/KEY`
waits for the script of `POST /KEY` and returns what each step did.
"""

from __future__ import annotations

import ast
import asyncio
import base64
import json
import zlib
from typing import Any

from apps.reports import text

RECEIVE_SECONDS = 0.02
OUTCOME_SECONDS = 3

_outcomes: dict[str, asyncio.Future[list[str]]] = {}


class Unusual(BaseException):
    """What `except Exception` doesn't catch."""


EXCEPTIONS: dict[str, type[BaseException]] = {
    "ValueError": ValueError,
    "OSError": OSError,
    "ConnectionResetError": ConnectionResetError,
    "CancelledError": asyncio.CancelledError,
    "TimeoutError": asyncio.TimeoutError,
    "StopAsyncIteration": StopAsyncIteration,
    "GeneratorExit": GeneratorExit,
    "Unusual": Unusual,
}


def _outcome(key: str) -> asyncio.Future[list[str]]:
    return _outcomes.setdefault(key, asyncio.get_running_loop().create_future())


def _script(field: bytes) -> list[tuple[Any, ...]]:
    steps: list[tuple[Any, ...]] = ast.literal_eval(
        zlib.decompress(base64.b64decode(field)).decode()
    )
    return steps


async def _do(step: tuple[Any, ...], receive: Any, send: Any) -> str:
    match step:
        case ("send", message):
            await send(message)
        case ("together", messages):
            results = await asyncio.gather(*map(send, messages), return_exceptions=True)
            return " ".join("ok" if result is None else "raised" for result in results)
        case ("receive",):
            event = await asyncio.wait_for(receive(), RECEIVE_SECONDS)
            return str(event["type"])
        case ("raise", name):
            raise EXCEPTIONS[name]("as the script says")
        case ("cancel",):
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        case ("pause",):
            await asyncio.sleep(0.001)
        case _:
            raise AssertionError(step)
    return "ok"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Runs a script, or tells how one went."""
    if scope["type"] != "http":
        raise RuntimeError("only HTTP here")
    fields = dict(scope["headers"])
    if b"script" not in fields:
        key = scope["path"].rpartition("/")[2]
        if not key:
            await text(send, "alive")
            return
        done = await asyncio.wait_for(asyncio.shield(_outcome(key)), OUTCOME_SECONDS)
        del _outcomes[key]
        await text(send, json.dumps(done))
        return
    log: list[str] = []
    careful = fields.get(b"careful") == b"yes"
    try:
        for step in _script(fields[b"script"]):
            try:
                log.append(await _do(step, receive, send))
            except Exception as error:
                log.append(f"raised {type(error).__name__}")
                if not careful or step[0] == "raise":
                    raise
    finally:
        _outcome(scope["path"].lstrip("/")).set_result(log)
