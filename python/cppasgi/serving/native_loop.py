"""An asyncio event loop whose turns need no Python code."""

from __future__ import annotations

import asyncio
import selectors
from asyncio import format_helpers

from cppasgi import _native


class _Selector(selectors.EpollSelector):
    """The loop's selector for turns that aren't its own: asyncio's debug mode, nest_asyncio."""

    def __init__(self, loop: NativeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As every selector's; threads that call the loop end the wait."""
        return super().select(timeout if self._loop._waits_itself() else 0)


class NativeLoop(_native.LoopCore, asyncio.SelectorEventLoop):
    """asyncio's selector loop with `call_soon`, `call_soon_threadsafe` and its turns in C++.

    Everything else is asyncio's own: transports, timers, signals, subprocesses, and the debug mode
    with all of it. docs/design/0010-own-event-loop.md says why.
    """

    def __init__(self) -> None:
        """Makes the loop; it is closed like any other."""
        selector = _Selector(self)
        super().__init__(selector)
        self._watch(selector.fileno(), selector._fd_to_key)  # type: ignore[attr-defined]

    def _callback_failed(self, handle: asyncio.Handle, error: BaseException) -> None:
        callback, arguments = handle._callback, handle._args  # type: ignore[attr-defined]
        source = format_helpers._format_callback_source(callback, arguments)
        self.call_exception_handler(
            {"message": f"Exception in callback {source}", "exception": error, "handle": handle}
        )
