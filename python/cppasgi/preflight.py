"""``--check``: what would keep a configuration from working, found without serving (as nginx -t).

Nothing is listened on, since the running server has the addresses; files are only looked at.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cppasgi.endpoints import EndpointError, UnixEndpoint, parse_endpoint
from cppasgi.loader import ApplicationLoadError
from cppasgi.loops import LoopName, loop_factory

_LAYER_SECONDS = 5.0
"""What a channel layer gets to bring a message back."""


@dataclass(frozen=True)
class Finding:
    """One line for the operator; a warning doesn't keep the server from working."""

    text: str
    is_warning: bool = False


def findings(
    load_application: Callable[[], object],
    descriptions: list[str],
    access_log: str | None,
    loop: LoopName,
    workers: int = 1,
) -> Iterator[Finding]:
    """Looks at everything that a start would need; the application is loaded first.

    Args:
        load_application: imports it; raises `ApplicationLoadError`.
        descriptions: of the endpoints.
        access_log: path of its file, ``-`` or None.
        loop: event loop that is asked for.
        workers: number of processes that will run the application.
    """
    try:
        load_application()
    except ApplicationLoadError as error:
        yield Finding(str(error))
    for description in descriptions:
        yield from _endpoint(description)
    if access_log not in (None, "", "-") and not _is_writable(Path(str(access_log))):
        yield Finding(f"The access log {access_log} can't be written")
    try:
        loop_factory(loop)
    except ImportError as error:
        yield Finding(str(error))
    yield from _django(workers)


def _endpoint(description: str) -> Iterator[Finding]:
    try:
        endpoint = parse_endpoint(description)
    except EndpointError as error:
        yield Finding(str(error))
        return
    if isinstance(endpoint, UnixEndpoint) and not os.access(Path(endpoint.address).parent, os.W_OK):
        yield Finding(f"The socket {endpoint.address} can't be made in its folder")


def _is_writable(path: Path) -> bool:
    return os.access(path if path.exists() else path.parent, os.W_OK) and not path.is_dir()


def layers_in_memory() -> list[str]:
    """The names of Channels' layers that reach their own process only."""
    settings = _django_settings()
    configured = getattr(settings, "CHANNEL_LAYERS", None) or {}
    return [
        name
        for name, layer in configured.items()
        if str(layer.get("BACKEND", "")).endswith(".InMemoryChannelLayer")
    ]


def _django_settings() -> Any:
    """Settings of Django, if the application has loaded it; else None."""
    if "django.conf" not in sys.modules:
        return None
    from django.conf import settings

    return settings if settings.configured else None


def _django(workers: int) -> Iterator[Finding]:
    settings = _django_settings()
    if settings is None:
        return
    apps = set(settings.INSTALLED_APPS)
    if apps & {"channels", "cppasgi", "daphne"} and not getattr(settings, "ASGI_APPLICATION", None):
        yield Finding("The setting ASGI_APPLICATION is missing, which runserver needs")
    if getattr(settings, "CHANNEL_LAYERS", None):
        yield from _channel_layers(settings.CHANNEL_LAYERS, workers)


def _channel_layers(configured: dict[str, Any], workers: int) -> Iterator[Finding]:
    try:
        from channels.layers import InMemoryChannelLayer, channel_layers
    except ImportError as error:
        yield Finding(f"CHANNEL_LAYERS is set, but channels can't be imported: {error}")
        return
    for name in configured:
        try:
            layer = channel_layers[name]
            asyncio.run(asyncio.wait_for(_round_trip(layer), _LAYER_SECONDS))
        except asyncio.TimeoutError:
            yield Finding(f'The channel layer "{name}" doesn\'t answer')
        except Exception as error:
            reason = " ".join(str(error).split())
            yield Finding(f'The channel layer "{name}" doesn\'t work: {reason}')
        else:
            if isinstance(layer, InMemoryChannelLayer):
                text = f'The channel layer "{name}" is in memory and reaches this process only'
                yield Finding(text, is_warning=workers == 1)


async def _round_trip(layer: Any) -> None:
    """Sends a message through the layer and takes it back."""
    channel = await layer.new_channel()
    await layer.send(channel, {"type": "cppasgi.check"})
    await layer.receive(channel)
    if hasattr(layer, "close_pools"):
        await layer.close_pools()
