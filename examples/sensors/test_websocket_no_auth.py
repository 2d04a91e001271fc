#!/usr/bin/env python
"""Opens a socket on a running service, makes, changes and deletes a sensor, and counts the frames.

Five must come: the two greetings and one event for each change. Status 0 or 1. Needs the
`websockets` package:

    python test_websocket_no_auth.py [--base http://localhost:8000]
"""

import argparse
import asyncio
import json
import sys
import urllib.request
from typing import Any

import websockets

TIMEOUT = 5  # seconds
EXPECTED = ["connection", "stats", "created", "updated", "deleted"]


def call(method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        return json.loads(response.read() or "{}")


def change_sensors(base: str) -> None:
    url = f"{base}/api/v1/test-sensors/"
    sensor = call("POST", url, {"tipo": "temperatura", "modelo": "DHT22"})
    call("PUT", f"{url}{sensor['id']}", {"modelo": "DHT11"})
    call("DELETE", f"{url}{sensor['id']}")


async def collect(base: str) -> list[str]:
    kinds = []
    url = f"{base.replace('http', 'ws', 1)}/api/v1/ws?channel=sensors"
    async with websockets.connect(url, open_timeout=TIMEOUT) as socket:
        for _ in EXPECTED:
            frame = json.loads(await asyncio.wait_for(socket.recv(), TIMEOUT))
            kinds.append(frame.get("event_type") or frame["type"])
            print(f"{len(kinds)}  {kinds[-1]}")
            if kinds == ["connection", "stats"]:
                await asyncio.to_thread(change_sensors, base)
    return kinds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="http://localhost:8000", help="address of the service")
    options = parser.parse_args()
    try:
        kinds = asyncio.run(collect(options.base.rstrip("/")))
    except Exception as error:
        print(f"failed  {type(error).__name__}: {error}")
        return 1
    print("ok" if kinds == EXPECTED else f"failed  expected {EXPECTED}")
    return 0 if kinds == EXPECTED else 1


if __name__ == "__main__":
    sys.exit(main())
