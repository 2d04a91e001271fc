"""The channel layer on Redis, without a fault of its own that would hide those of servers."""

from __future__ import annotations

import asyncio
from typing import Any

from channels_redis.core import RedisChannelLayer

AGAIN = 0.1  # seconds


class RedisLayer(RedisChannelLayer):
    """channels_redis 4.3, whose receive() now and then overlooks that it is cancelled.

    A consumer that has done all its work then waits for ever, under every server. Here it is
    cancelled again until it ends.
    """

    async def receive(self, channel: str) -> Any:
        receiving = asyncio.ensure_future(super().receive(channel))
        try:
            return await asyncio.shield(receiving)
        except asyncio.CancelledError:
            while not receiving.done():
                receiving.cancel()
                await asyncio.wait([receiving], timeout=AGAIN)
            raise
