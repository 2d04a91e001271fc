"""Times that users set: seconds, for flags and for the arguments of `cppasgi.Server` alike.

Infinity is no limit, and neither is what is longer than any process lives: nobody behind has to
calculate with numbers that a clock can't hold.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cppasgi.settings.server_settings import ServerSettings

_LONGEST_SECONDS = 10**9


def time_limit(value: float) -> float:
    """Checks a time from 0 on.

    Raises:
        ValueError: it is not a number, or negative.
    """
    if math.isnan(value):
        raise ValueError(f"{value} is not a number of seconds")
    if value < 0:
        raise ValueError(f"{value} is less than 0 seconds")
    return math.inf if value > _LONGEST_SECONDS else value


def time_limit_or_none(value: float) -> float:
    """Checks a time from 0 on, or -1: with Daphne's flags that is no limit.

    Raises:
        ValueError: it is not a number, or negative otherwise.
    """
    return value if value == -1 else time_limit(value)


_TIMES = {
    "http_timeout": time_limit,
    "timeout_request_header": time_limit,
    "timeout_request_body": time_limit,
    "timeout_send": time_limit,
    "timeout_keep_alive": time_limit,
    "websocket_connect_timeout": time_limit_or_none,
    "websocket_timeout": time_limit_or_none,
    "timeout_websocket_idle": time_limit,
    "timeout_websocket_close": time_limit,
    "timeout_websocket_message": time_limit,
    "ping_interval": time_limit,
    "ping_timeout": time_limit,
    "graceful_timeout": time_limit,
    "drain_delay": time_limit,
    "ws_drain_window": time_limit,
    "slow_callback": time_limit,
    "worker_timeout": time_limit,
    "timeout_after_disconnect": time_limit,
    "application_close_timeout": time_limit,
}


def check_times(server: ServerSettings) -> None:
    """Checks the times among the attributes of a server.

    Raises:
        ValueError: one is not a number, or negative where that means nothing; the text names it.
    """
    for name, check in _TIMES.items():
        try:
            setattr(server, name, check(getattr(server, name)))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
