"""Configures logging as some Django projects do: all loggers that exist are disabled."""

import logging.config
from typing import Any

from apps.reports import text

logging.config.dictConfig({"version": 1, "disable_existing_loggers": True})


async def app(scope: Any, receive: Any, send: Any) -> None:
    await text(send, "quiet")
