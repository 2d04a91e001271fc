"""``--check``: what would keep a configuration from working, found without serving (as nginx -t).

Nothing is listened on, as the running server has the addresses; files are only looked at.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cppasgi.command.options import is_supervised
from cppasgi.command.preflight_addresses import Finding, address_findings
from cppasgi.observing.monitoring import check_metrics
from cppasgi.processes.reload import check_reload
from cppasgi.serving.loader import ApplicationLoadError
from cppasgi.serving.loops import loop_factory
from cppasgi.serving.native_options import most_connections
from cppasgi.settings.server_settings import ServerSettings

_LAYER_SECONDS = 5.0
"""What a channel layer gets to bring a message back."""


def findings(
    load_application: Callable[[], object], endpoints: list[str], options: argparse.Namespace
) -> Iterator[Finding]:
    """Looks at everything that a start would need; the application is loaded first.

    Args:
        load_application: imports it; raises `ApplicationLoadError`.
        endpoints: descriptions of them.
        options: the parsed flags.
    """
    try:
        load_application()
    except ApplicationLoadError as error:
        yield Finding(str(error))
    yield from address_findings(endpoints, options.metrics, shared=is_supervised(options))
    yield from _access_log(options.access_log)
    yield from _libraries(options)
    yield from _open_files(options.limit_concurrency)
    yield from _django(options.workers)


def _access_log(path: str | None) -> Iterator[Finding]:
    if path in (None, "", "-"):
        return
    file = Path(str(path))
    if file.is_dir():
        reason = "it is a folder"
    elif not file.parent.is_dir():
        reason = f"there is no folder {file.parent}"
    elif not os.access(file if file.exists() else file.parent, os.W_OK):
        reason = "this user may not"
    else:
        return
    yield Finding(f"The access log {path} can't be written: {reason}")


def _libraries(options: argparse.Namespace) -> Iterator[Finding]:
    for is_needed, check in (
        (True, lambda: loop_factory(options.loop)),
        (options.reload, check_reload),
        (options.metrics, check_metrics),
    ):
        try:
            if is_needed:
                check()
        except ImportError as error:
            yield Finding(str(error))


def _open_files(connections: int) -> Iterator[Finding]:
    """Whether there may be as many connections as somebody asks for, which the default doesn't."""
    most, open_files = most_connections(connections)
    if most < connections and connections != ServerSettings.limit_concurrency:
        text = f"At most {most} connections, not {connections}, as a process may open {open_files}"
        yield Finding(f"{text} files (LimitNOFILE= of systemd, ulimit -n)", is_warning=True)


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
        text = "The setting ASGI_APPLICATION is missing, which runserver needs"
        yield Finding(text, is_warning=True)
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
        except Exception as error:
            reason = " ".join(str(error).split()) or "it doesn't answer"
            text = f'The channel layer "{name}" doesn\'t work: {reason}'
            yield Finding(text, is_warning=_is_down(error))
        else:
            if isinstance(layer, InMemoryChannelLayer):
                text = f'The channel layer "{name}" is in memory and reaches this process only'
                yield Finding(text, is_warning=workers == 1)


def _is_down(error: Exception) -> bool:
    """Whether it is a server that doesn't answer, which may be back by the time it is needed."""
    redis = sys.modules.get("redis.exceptions")
    if redis is not None and isinstance(error, (redis.ConnectionError, redis.TimeoutError)):
        return not isinstance(error, redis.AuthenticationError)
    return isinstance(error, (ConnectionError, TimeoutError, asyncio.TimeoutError))


async def _round_trip(layer: Any) -> None:
    """Sends a message through the layer and takes it back."""
    channel = await layer.new_channel()
    await layer.send(channel, {"type": "cppasgi.check"})
    await layer.receive(channel)
    if hasattr(layer, "close_pools"):
        await layer.close_pools()
