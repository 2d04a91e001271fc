"""Chooses the channel layer: Redis when it answers, otherwise the one in memory.

The in-memory layer joins the sockets of one process only and forgets everything at a restart.
"""

import logging
from typing import Any

IN_MEMORY = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
PING_TIMEOUT = 1  # seconds
SOCKET_TIMEOUT = 20  # seconds
MAX_CONNECTIONS = 2000  # of one process; Redis itself allows 10000 in all

logger = logging.getLogger("main")


def choose_channel_layer(redis_url: str | None) -> dict[str, Any]:
    """Return the `CHANNEL_LAYERS["default"]` entry. Never raises."""
    if not redis_url:
        return IN_MEMORY
    try:
        ping(redis_url)
    except Exception as error:
        # No driver, a bad URL, nobody there: all the same to us. Only the type of the error is
        # logged, as its message could quote the URL with its password.
        logger.warning(
            "REDIS_URL is set but Redis does not answer (%s); using the in-memory channel layer",
            type(error).__name__,
        )
        return IN_MEMORY
    return {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": redis_config(redis_url),
    }


def redis_config(url: str) -> dict[str, Any]:
    return {
        "hosts": [
            {
                "address": url,
                # The layer waits up to 5 s for a message, and redis-py 8 gives up on a reply after
                # 5 s unless told otherwise: idle sockets would be lost now and then.
                "socket_timeout": SOCKET_TIMEOUT,
                # Every socket that comes or goes takes one for a moment; redis-py 8 allows 100,
                # too few for a crowd that comes back after a restart.
                "max_connections": MAX_CONNECTIONS,
            }
        ],
        "capacity": 1500,  # room for bursts: a socket that falls further behind loses frames
        "prefix": "idrissimart",
    }


def ping(url: str) -> None:
    import channels_redis.core  # noqa: F401  (the layer needs it; find out now)
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    with Redis.from_url(
        url,
        socket_connect_timeout=PING_TIMEOUT,
        socket_timeout=PING_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    ) as client:
        client.ping()
