"""The ASGI lifespan protocol 2.0: start-up before the first connection, shutdown after the last."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cppasgi.settings.asgi import Application, Message
    from cppasgi.settings.server_settings import LifespanMode

logger = logging.getLogger("cppasgi.lifespan")

_AFTERWARDS_SECONDS = 1.0
"""What code after the last message gets, if so much is left."""
_CANCEL_SECONDS = 0.1
"""What the call gets to end after it has been cancelled."""


class LifespanError(RuntimeError):
    """The application failed at start-up or shutdown; the text is one line that says how."""


class Lifespan:
    """One lifespan of an application: one call, one task, in the loop that serves requests.

    Modes: ``auto`` takes an application that raises or returns before ``startup.complete`` as one
    without lifespan; ``on`` takes it as a failure; ``off`` never calls.
    """

    def __init__(self, application: Application, mode: LifespanMode = "auto") -> None:
        if mode not in ("auto", "on", "off"):
            raise ValueError(f'lifespan must be "auto", "on" or "off", not {mode!r}')
        self._application = application
        self._mode = mode
        self._task: asyncio.Task[None] | None = None
        self._state: dict[str, Any] = {}
        self._received_startup = False
        self._received_shutdown = False
        self._sent_startup = False
        self._failure: str | None = None
        self._startup_over = asyncio.Event()
        self._shutdown_begun = asyncio.Event()
        self._shutdown_over = asyncio.Event()

    @property
    def state(self) -> dict[str, Any] | None:
        """The namespace for request scopes, or None when the application has no lifespan."""
        return self._state if self._sent_startup else None

    async def startup(self) -> None:
        """Runs the application's start-up to its end; without any time limit.

        Raises:
            LifespanError: start-up failed, or mode ``on`` and the application has no lifespan.
        """
        if self._mode == "off":
            return
        self._task = asyncio.get_running_loop().create_task(self._run(), name="cppasgi lifespan")
        await self._startup_over.wait()
        if self._failure is not None:
            raise LifespanError(f"Application startup failed: {self._failure}")

    async def shutdown(self, timeout: float) -> None:
        """Runs the application's shutdown, at most ``timeout`` seconds, and ends the call.

        Does nothing if start-up never completed, except to end a call that is still in it.

        Raises:
            LifespanError: shutdown failed or took too long.
        """
        if self._task is None:
            return
        end = time.monotonic() + timeout
        if self._sent_startup and self._failure is None:
            self._shutdown_begun.set()
            try:
                await asyncio.wait_for(self._shutdown_over.wait(), timeout)
            except asyncio.TimeoutError:
                self._failure = f"no answer within {timeout:.1f} s"
        if not self._task.done():
            # Code after the last message (the end of a context manager) gets a moment too.
            left = min(end - time.monotonic(), _AFTERWARDS_SECONDS)
            await asyncio.wait({self._task}, timeout=left if self._shutdown_over.is_set() else 0)
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_CANCEL_SECONDS)
        if self._sent_startup and self._failure is not None:
            raise LifespanError(f"Application shutdown failed: {self._failure}")

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self._state,
        }
        failure = "the application returned before startup.complete"
        error: BaseException | None = None
        try:
            await self._application(scope, self._receive, self._send)
        except BaseException as raised:
            error = raised
            failure = one_line(raised)
            if not isinstance(raised, Exception):
                raise
        finally:
            self._on_return(failure, error)

    def _on_return(self, failure: str, error: BaseException | None) -> None:
        if isinstance(error, asyncio.CancelledError):
            pass  # Shutdown has given up waiting and said so, or the server stops early.
        elif not self._startup_over.is_set():
            if self._mode == "on":
                logger.debug("Application startup failed", exc_info=error)
                self._failure = failure
            elif self._received_startup and error is not None:
                logger.warning("Serving without lifespan: %s", failure, exc_info=error)
            else:
                logger.debug("The application has no lifespan: %s", failure)
        elif error is not None and not self._shutdown_over.is_set() and self._failure is None:
            logger.error("Exception in the application's lifespan: %s", failure, exc_info=error)
            self._failure = failure
        self._startup_over.set()
        self._shutdown_over.set()

    async def _receive(self) -> Message:
        if not self._received_startup:
            self._received_startup = True
            return {"type": "lifespan.startup"}
        await self._shutdown_begun.wait()
        if self._received_shutdown:
            await asyncio.get_running_loop().create_future()  # Nothing more will ever come.
        self._received_shutdown = True
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("lifespan.startup.complete", "lifespan.startup.failed"):
            if self._startup_over.is_set():
                raise RuntimeError(f"{kind} was sent after startup had ended")
            if kind == "lifespan.startup.failed":
                self._failure = _text_of(message)
            else:
                self._sent_startup = True
            self._startup_over.set()
        elif kind in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
            if not self._shutdown_begun.is_set() or self._shutdown_over.is_set():
                raise RuntimeError(f"{kind} was sent outside of shutdown")
            if kind == "lifespan.shutdown.failed":
                self._failure = _text_of(message)
            self._shutdown_over.set()
        else:
            raise ValueError(f"Unknown lifespan message type {kind!r}")


def one_line(error: BaseException) -> str:
    """Says an exception in one line: its type and text."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _text_of(message: Message) -> str:
    # Frameworks put a whole traceback here; its last line says what happened.
    lines = [line for line in str(message.get("message", "")).splitlines() if line.strip()]
    if len(lines) > 1:
        logger.error("%s", "\n".join(lines))
    return lines[-1].strip() if lines else "no reason given"
