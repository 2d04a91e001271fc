"""Goes on for long after its response, or after its client has left; says how that ended."""

import asyncio
import sys


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError("no lifespan")
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})
    try:
        await asyncio.sleep(float(scope["query_string"] or b"60"))
        print("went on", scope["path"], file=sys.stderr, flush=True)
    except asyncio.CancelledError:
        print("cancelled", scope["path"], file=sys.stderr, flush=True)
        raise
