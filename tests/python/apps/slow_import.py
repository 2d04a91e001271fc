"""An application that takes long to import, in C."""

import hashlib
import sys
from typing import Any

print("app: importing", file=sys.stderr, flush=True)
hashlib.pbkdf2_hmac("sha256", b"", b"", 40_000_000)


async def app(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nobody waits so long")
