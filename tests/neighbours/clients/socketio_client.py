"""python-socketio's own client against sites/socketio_site.py; prints what it hears."""

import asyncio
import sys
from typing import Any

import socketio

base = sys.argv[1]


async def talk(transports: list[str]) -> None:
    client = socketio.AsyncClient(reconnection=False)
    heard: list[Any] = []
    over = asyncio.Event()
    client.on("*", lambda event, *data: heard.append((event, *data)))

    @client.event
    async def disconnect(*reason: Any) -> None:
        over.set()

    await client.connect(base, auth={"user": "é"}, transports=transports)
    print(transports, client.transport())
    for data in ("text", b"\0bytes", {"nested": [1, b"2", None]}, "x" * 200_000, b"y" * 200_000):
        answer = await client.call("echo", data)
        print("echo", answer[0], answer[1] == data)
    print("session", await client.call("session"))
    await client.emit("join", "room")
    await client.emit("count", 8)  # a payload of polling has 16 packets at most
    await client.call("echo", "")
    while len(heard) < 10:
        await asyncio.sleep(0.01)
    print(heard)
    await client.emit("leave")
    await asyncio.wait_for(over.wait(), 10)
    print("left")


async def refused() -> None:
    client = socketio.AsyncClient(reconnection=False)
    try:
        await client.connect(base, auth="wrong", transports=["websocket"])
    except socketio.exceptions.ConnectionError as error:
        print("refused", error)


async def main() -> None:
    for transports in (["websocket"], ["polling"], ["polling", "websocket"]):
        await asyncio.wait_for(talk(transports), 20)
    await asyncio.wait_for(refused(), 20)


asyncio.run(main())
