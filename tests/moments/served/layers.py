"""The channel layer on Redis, without faults of its own that would hide those of servers."""

from __future__ import annotations

import asyncio
from typing import Any

from channels_redis.core import RedisChannelLayer

AGAIN = 0.1  # seconds


class RedisLayer(RedisChannelLayer):
    """channels_redis 4.3, whose receive() has two faults, under every server.

    Now and then it overlooks that it is cancelled, and a consumer that has done all its work waits
    for ever: here it is cancelled again until it ends. And where it is cancelled while it asks
    Redis for all the others, it keeps the buffer of its channel for good: here that goes too.
    """

    async def receive(self, channel: str) -> Any:
        receiving = asyncio.ensure_future(super().receive(channel))
        try:
            return await asyncio.shield(receiving)
        except asyncio.CancelledError:
            while not receiving.done():
                receiving.cancel()
                await asyncio.wait([receiving], timeout=AGAIN)
            self.receive_buffer.pop(channel, None)
            raise
