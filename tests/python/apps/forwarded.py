"""Answers with the client and the scheme of its scope."""


async def app(scope, receive, send):
    seen = repr((scope["client"], scope["scheme"]))
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": seen})
        await receive()
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": seen.encode()})
    else:
        raise RuntimeError("no lifespan")
