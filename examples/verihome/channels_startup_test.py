#!/usr/bin/env python
"""Says whether Channels is set up: its version, the application, the layer, one message through it.

Ends with status 0 when the message came back. Needs no running server.
"""

import asyncio
import os
import sys

import channels
import django
from channels.layers import get_channel_layer
from django.conf import settings


async def send_and_receive() -> bool:
    layer = get_channel_layer()
    channel = await layer.new_channel("startup")
    await layer.send(channel, {"type": "startup.test", "text": "hello"})
    message = await asyncio.wait_for(layer.receive(channel), timeout=5)
    return message["text"] == "hello"


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "verihome.settings")
    django.setup()
    print(f"Channels version:  {channels.__version__}")
    print(f"ASGI_APPLICATION:  {settings.ASGI_APPLICATION}")
    print(f"Channel layer:     {settings.CHANNEL_LAYERS['default']['BACKEND']}")
    try:
        came_back = asyncio.run(send_and_receive())
    except Exception as error:
        print(f"Send and receive:  failed, {type(error).__name__}: {error}")
        return 1
    print(f"Send and receive:  {'success' if came_back else 'failed, another message came'}")
    return 0 if came_back else 1


if __name__ == "__main__":
    sys.exit(main())
