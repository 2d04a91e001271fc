"""Chooses the channel layer: Redis when it answers, otherwise the one in memory.

The in-memory layer joins the sockets of one process only and forgets everything at a restart.
"""

import logging
from typing import Any
from urllib.parse import urlsplit

IN_MEMORY = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
DEFAULT_DATABASE = 4  # 0 to 3 are meant for Celery, the cache, sessions and queries
PING_TIMEOUT = 1  # seconds
SOCKET_TIMEOUT = 20  # seconds

logger = logging.getLogger("messaging")


def choose_channel_layer(redis_url: str | None, secret_key: str) -> dict[str, Any]:
    """Return the `CHANNEL_LAYERS["default"]` entry. Never raises."""
    if not redis_url:
        return IN_MEMORY
    try:
        url = with_database(redis_url)
        ping(url)
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
        "CONFIG": {
            # The layer waits up to 5 s for a message, and redis-py 8 gives up on a reply after 5 s
            # unless told otherwise: idle sockets would be lost now and then.
            "hosts": [{"address": url, "socket_timeout": SOCKET_TIMEOUT}],
            "capacity": 1500,
            "expiry": 60,
            "group_expiry": 86400,
            "symmetric_encryption_keys": [secret_key[:32]],
            "prefix": "verihome_channels:",
        },
    }


def with_database(redis_url: str) -> str:
    """Add database 4 to a `redis://` URL that names none."""
    parts = urlsplit(redis_url)
    if parts.scheme == "unix" or parts.path.strip("/") or "db=" in parts.query:
        return redis_url
    return parts._replace(path=f"/{DEFAULT_DATABASE}").geturl()


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
