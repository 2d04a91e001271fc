"""Callbacks that reach into the insides of cppasgi's own event loop while it uses them.

As asyncio's loop does, it may raise then; it may not use memory that was freed. The tests say most
when the extension is sanitized (scripts/test).
"""

from __future__ import annotations

import asyncio
import collections
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from test_changing_messages import churn

from cppasgi.serving.native_loop import NativeLoop


@pytest.fixture
def loop() -> Iterator[Any]:
    loop = NativeLoop()
    yield loop
    loop.close()


def turn(loop: Any) -> None:
    """Runs what is ready now."""
    loop.stop()
    loop.run_forever()


def test_a_handle_that_runs_itself_and_is_cancelled_for_it(loop: Any) -> None:
    """Its context is entered already, which the exception handler hears of."""
    seen: list[Any] = []

    def callback(first: list[int], second: bytearray) -> None:
        handle = handles.pop()
        handle._run()
        seen.append(handle.cancelled())
        del handle
        churn()
        seen.extend((first, second))

    loop.set_exception_handler(lambda loop, context: context["handle"].cancel())
    handles = [loop.call_soon(callback, [1, 2], bytearray(b"3"))]
    turn(loop)
    assert seen == [True, [1, 2], bytearray(b"3")]


def test_a_handle_whose_text_cancels_it(loop: Any) -> None:
    class Callback:
        def __call__(self) -> None:
            raise AssertionError("cancelled")

        def __repr__(self) -> str:
            handle.cancel()
            churn()
            return "callback"

    handle = loop.call_soon(Callback())
    assert repr(handle) == "<Handle callback>"
    assert repr(handle) == "<Handle cancelled>"
    turn(loop)


class Dropped:
    """Calls something when it is dropped."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.call = call

    def __del__(self) -> None:
        self.call()


@pytest.mark.parametrize("how", ["replace", "clear", "bound"])
def test_the_queue_is_exchanged_while_a_turn_runs(loop: Any, how: str) -> None:
    """What was in the old one is gone, or as with asyncio an IndexError ends the turn."""
    ran: list[str] = []

    def exchange() -> None:
        ran.append("exchange")
        if how == "clear":
            loop._ready.clear()
        else:
            loop._ready = collections.deque(maxlen=1 if how == "bound" else None)
        churn()
        loop.call_soon(ran.append, "new")

    loop.call_soon(exchange)
    for _ in range(5):
        loop.call_soon(ran.append, "old")
    for _ in range(3):
        with suppress(IndexError):
            turn(loop)
    assert ran == ["exchange", "new"]


def test_a_queue_that_is_exchanged_by_what_it_drops(loop: Any) -> None:
    def exchange() -> None:
        loop._ready = collections.deque()
        churn()

    ran: list[int] = []
    loop._ready = collections.deque(maxlen=2)
    loop.call_soon(lambda dropped: None, Dropped(exchange))
    for number in range(3):
        loop.call_soon(ran.append, number)
    for _ in range(3):
        with suppress(IndexError):
            turn(loop)
    with pytest.raises(TypeError):
        loop._ready = []
    with pytest.raises((TypeError, AttributeError)):
        del loop._ready


class Timer(asyncio.TimerHandle):
    """A timer that calls something when it is compared, or asked whether it was cancelled."""

    call: Callable[[], object] = staticmethod(lambda: None)

    def __lt__(self, other: Any) -> bool:
        type(self).call()
        return super().__lt__(other)

    @property
    def _cancelled(self) -> bool:  # type: ignore[override]
        type(self).call()
        return self._is_cancelled

    @_cancelled.setter
    def _cancelled(self, value: bool) -> None:
        self._is_cancelled = value


@pytest.mark.parametrize("how", ["replace", "clear", "shrink", "other"])
def test_timers_are_exchanged_while_they_are_looked_at(loop: Any, how: str) -> None:
    def exchange() -> None:
        timers = loop._scheduled
        if how == "replace":
            loop._scheduled = []
        elif how == "clear":
            timers.clear()
        elif how == "shrink":
            del timers[len(timers) // 2 :]
        else:
            loop._scheduled = [Timer(loop.time(), print, (), loop) for _ in range(3)]
        del timers
        churn()

    class Trap(Timer):
        call = staticmethod(exchange)

    for _ in range(4):
        loop._scheduled = [Trap(loop.time() - 1, lambda: None, (), loop) for _ in range(9)]
        with suppress(IndexError, RuntimeError):
            turn(loop)
    loop._scheduled = []
    with pytest.raises(TypeError):
        loop._scheduled = ()


def test_a_loop_that_its_callback_tries_to_close(loop: Any) -> None:
    ran: list[str] = []

    def close() -> None:
        with pytest.raises(RuntimeError, match="running"):
            loop.close()
        ran.append("closed")

    loop.call_soon(close)
    loop.call_soon(ran.append, "next")
    turn(loop)
    assert ran == ["closed", "next"]


def test_a_turn_in_another_thread_while_the_loop_waits(loop: Any) -> None:
    found: list[BaseException] = []

    def other() -> None:
        for _ in range(20):
            try:
                loop._run_once()
            except RuntimeError as error:
                found.append(error)
        loop.call_soon_threadsafe(loop.stop)

    loop.call_later(0.05, lambda: None)
    thread = threading.Timer(0.01, other)
    thread.start()
    loop.run_forever()
    thread.join()
    assert "another thread" in str(found[0])


def test_turns_inside_of_callbacks(loop: Any) -> None:
    """As patches of asyncio do that let loops nest."""
    ran: list[int] = []

    def nest(depth: int) -> None:
        ran.append(depth)
        if depth < 20:
            loop.call_soon(nest, depth + 1)
            loop.call_later(0, ran.append, -1)
            loop._run_once()

    loop.call_soon(nest, 0)
    with suppress(IndexError):
        turn(loop)
    assert [number for number in ran if number >= 0] == list(range(21))


@pytest.mark.filterwarnings("ignore:unclosed")
def test_loops_that_are_garbage_with_their_callbacks() -> None:
    """Whatever is freed first, and whatever that asks of the rest."""
    called: list[Any] = []

    class Asks:
        def __init__(self, loop: Any) -> None:
            self.loop = loop
            self.handles: list[Any] = []

        def __call__(self, *arguments: object) -> None:
            pass

        def __del__(self) -> None:
            called.append(None)
            for call in (
                lambda: self.loop.call_soon(print),
                lambda: self.loop.call_soon_threadsafe(print),
                lambda: (self.loop.stop(), self.loop._run_once()),
                lambda: [repr(handle) for handle in self.handles],
                lambda: [handle._run() for handle in self.handles],
                lambda: [handle.get_context() for handle in self.handles],
                lambda: [handle._args for handle in self.handles],
                lambda: [handle.cancel() for handle in self.handles],
            ):
                with suppress(RuntimeError, IndexError, AttributeError, OSError, ValueError):
                    call()

    freed = []
    for number in range(10):
        loop = NativeLoop()
        asks = Asks(loop)
        for _ in range(3):
            asks.handles.append(loop.call_soon(asks, asks, loop))
            asks.handles.append(loop.call_later(1, asks, asks))
        if number % 2:
            loop.close()
        freed.append(weakref.ref(loop))
        del loop, asks
    gc.collect()
    gc.collect()
    assert len(called) == 10
    assert not any(reference() for reference in freed)


@pytest.mark.parametrize("context", [7, "context", [], object])
def test_contexts_that_are_none(loop: Any, context: Any) -> None:
    problems: list[Any] = []
    loop.set_exception_handler(lambda loop, context: problems.append(context["exception"]))
    loop.call_soon(churn, context=context)
    turn(loop)
    assert isinstance(problems[0], TypeError)
