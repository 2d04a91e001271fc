"""Records each request as it came, for test_nginx_agreement.py: GET /recorded returns the list."""

import json
from typing import Any

from apps.reports import text

RECORDED: list[dict[str, Any]] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads the content and answers 200; notes the request once it is whole."""
    if scope["type"] != "http":
        raise RuntimeError("only HTTP here")
    if scope["path"] == "/recorded":
        await text(send, json.dumps(RECORDED))
        RECORDED.clear()
        return
    content = b""
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        content += event["body"]
        if not event["more_body"]:
            break
    fields = [(name.decode(), value.decode("latin1")) for name, value in scope["headers"]]
    RECORDED.append(
        {
            "method": scope["method"],
            "target": scope["raw_path"].decode("latin1"),
            "query": scope["query_string"].decode("latin1"),
            "fields": fields,
            "content": content.decode("latin1"),
        }
    )
    await text(send, f"{len(RECORDED)}")
