"""Reads what clients send, over HTTP and over sockets alike: a JSON object and its fields."""

import json
from typing import Any

MAX_CONTENT = 100_000  # characters of one message


class RequestError(Exception):
    """Something the client asked for cannot be done; it is told why.

    A socket sends `code` in an error frame, the JSON API answers with `status`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        return {"forbidden": 403, "not_found": 404}.get(self.code, 400)


def read_object(raw: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise RequestError("invalid_json", "This is not JSON.") from None
    if not isinstance(value, dict):
        raise RequestError("invalid_json", "A JSON object is expected.")
    return value


def text_field(
    data: dict[str, Any], name: str, *, blank: bool = False, limit: int = MAX_CONTENT
) -> str:
    """Return the string field `name`, which must be there and not blank unless `blank` is set."""
    value = data.get(name)
    if not is_text(value):
        raise RequestError("invalid_payload", f"{name} must be a string.")
    if not blank and not value.strip():
        raise RequestError("invalid_payload", f"{name} must not be blank.")
    if len(value) > limit:
        raise RequestError("invalid_payload", f"{name} is longer than {limit} characters.")
    return value


def is_text(value: Any) -> bool:
    r"""Whether this is a string that can be stored; JSON may spell half a character, `"\ud800"`."""
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)
