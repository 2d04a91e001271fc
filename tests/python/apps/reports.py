"""What applications noted, for the test to fetch: GET /report/<key> answers JSON, or 404."""

import json
from typing import Any

REPORTS: dict[str, Any] = {}


def outcome(error: BaseException | None) -> dict[str, Any]:
    """How a call ended: the exception's class, its bases and text, or None."""
    if error is None:
        return {"raised": None}
    return {
        "raised": type(error).__name__,
        "bases": [base.__name__ for base in type(error).__mro__],
        "text": str(error),
    }


async def text(send: Any, body: bytes | str, status: int = 200) -> None:
    """Answers with a short whole response."""
    body = body.encode() if isinstance(body, str) else body
    length = str(len(body)).encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def serve_report(scope: Any, send: Any) -> None:
    """Answers GET /report/<key>."""
    key = scope["path"].removeprefix("/report/")
    known = key in REPORTS
    await text(send, json.dumps(REPORTS.get(key)), 200 if known else 404)
