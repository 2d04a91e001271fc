#!/usr/bin/env python
"""Opens all four WebSocket routes of a running site as alice and pings each. Status 0 or 1.

Needs the demo users and the `websockets` package:

    python test_websocket_connection.py [--base http://127.0.0.1:8000] [--ws ws://127.0.0.1:8000]
"""

import argparse
import asyncio
import json
import sys
import urllib.request
from datetime import datetime, timezone
from typing import Any

import websockets

TIMEOUT = 5  # seconds


def post(url: str, body: dict[str, Any], token: str = "") -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        return json.load(response)


async def check_route(url: str, origin: str) -> None:
    async def next_frame() -> dict[str, Any]:
        return json.loads(await asyncio.wait_for(socket.recv(), TIMEOUT))

    async with websockets.connect(url, origin=origin, open_timeout=TIMEOUT) as socket:
        greeting = await next_frame()
        if greeting["type"] != "connection_established":
            raise ValueError(f"the first frame was {greeting['type']}")
        timestamp = datetime.now(timezone.utc).isoformat()
        await socket.send(json.dumps({"type": "ping", "timestamp": timestamp}))
        while (frame := await next_frame())["type"] != "pong":
            pass  # a status update, say
        if frame["timestamp"] != timestamp:
            raise ValueError("the pong has another timestamp")


async def check_routes(base: str, ws: str) -> bool:
    login = post(f"{base}/api/v1/auth/login/", {"username": "alice", "password": "demo-pass"})
    token = login["access_token"]
    thread = post(f"{base}/api/v1/threads/", {"username": "bob"}, token)
    all_good = True
    for route in (
        "/ws/messaging/",
        "/ws/notifications/",
        f"/ws/messaging/thread/{thread['id']}/",
        "/ws/user-status/",
    ):
        try:
            await check_route(f"{ws}{route}?token={token}", origin=base)
            print(f"ok      {route}")
        except Exception as error:
            all_good = False
            print(f"failed  {route}  {type(error).__name__}: {error}")
    return all_good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="http://127.0.0.1:8000", help="address of the site")
    parser.add_argument("--ws", help="address of its WebSockets (default: made from --base)")
    options = parser.parse_args()
    base = options.base.rstrip("/")
    ws = (options.ws or base.replace("http", "ws", 1)).rstrip("/")
    # The routes are also given as the base of WebSockets, "/ws/".
    ws = ws.removesuffix("/ws")
    try:
        return 0 if asyncio.run(check_routes(base, ws)) else 1
    except Exception as error:
        print(f"failed  login  {type(error).__name__}: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
