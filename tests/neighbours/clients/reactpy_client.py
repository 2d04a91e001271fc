"""Does what the page of sites/reactpy_site.py does: opens the components' sockets, and clicks."""

import asyncio
import json
import re
import sys
from typing import Any

import httpx
import websockets

base = sys.argv[1]
UUID = r"[0-9a-f]{8}-[0-9a-f-]{27}"


def find(model: Any, key: str) -> Any:
    """The first value of a key anywhere in a model."""
    children = (
        model.values() if isinstance(model, dict) else model if isinstance(model, list) else []
    )
    if isinstance(model, dict) and key in model:
        return model[key]
    return next((found for child in children if (found := find(child, key)) is not None), None)


async def click_through(path: str) -> list[Any]:
    told = []
    url = base.replace("http", "ws") + f"/reactpy/{path}"
    async with websockets.connect(url, additional_headers={"Origin": base}) as socket:
        for _ in range(4):
            update = json.loads(await asyncio.wait_for(socket.recv(), 20))
            told.append((update["type"], re.findall(r"count \d+", json.dumps(update))))
            target = find(update["model"], "target") or target  # noqa: F821 - of the first
            event = {"type": "layout-event", "target": target, "data": [{}]}
            await socket.send(json.dumps(event))
    return told


async def main() -> None:
    page = httpx.get(base, timeout=30)
    print(page.status_code, re.findall(r"<button>[^<]*</button>", page.text))
    paths = re.findall(rf"reactpy_urls\.counter/{UUID}/\d/", page.text)
    print(len(paths))
    for told in await asyncio.gather(*map(click_through, paths)):
        print(told)


asyncio.run(main())
