"""``channels_app`` with the Redis channel layer; ``CHANNELS_REDIS_URL`` must be set."""

import os

os.environ["CHANNELS_REDIS_URL"]  # KeyError rather than a measurement of the layer in memory

from channels_app import application  # noqa: E402

__all__ = ["application"]
