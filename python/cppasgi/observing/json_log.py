"""The server log as JSON, for ``--log-fmt json``."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from typing import Any

from cppasgi.log_text import JSON_ESCAPES


class JsonFormatter(logging.Formatter):
    """A JSON object per line: time (ISO 8601, UTC), level, logger, process, message, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Makes the line."""
        moment = datetime.fromtimestamp(record.created, timezone.utc)
        values: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            values["exception"] = self.formatException(record.exc_info)
        return json.dumps(values, ensure_ascii=False).translate(JSON_ESCAPES)
