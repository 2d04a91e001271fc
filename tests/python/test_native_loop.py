"""cppasgi's own event loop: asyncio's promises where its C++ takes over, and CPython's own tests.

`test_asyncio.py`, `test_contexts.py` and others run the server on it beside the other loops.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from in_process import serving
from websockets.sync.client import connect

from cppasgi import _native
from cppasgi.serving.native_loop import NativeLoop


@pytest.fixture
def loop() -> Iterator[NativeLoop]:
    loop = NativeLoop()
    yield loop
    loop.close()


def turn(loop: NativeLoop) -> None:
    """Runs what is ready now, and nothing that it adds."""
    loop.stop()
    loop.run_forever()


def test_callbacks_run_in_order_and_what_they_add_in_the_next_turn(loop: NativeLoop) -> None:
    ran: list[object] = []

    def first() -> None:
        ran.append("first")
        loop.call_soon(ran.append, "added")

    loop.call_soon(first)
    loop.call_soon(lambda *arguments: ran.append(arguments), 1, 2, 3)
    turn(loop)
    assert ran == ["first", (1, 2, 3)]
    turn(loop)
    assert ran[2:] == ["added"]


def test_callbacks_run_in_the_given_context_or_a_copy(loop: NativeLoop) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    seen: list[str] = []

    def see() -> None:
        seen.append(variable.get())
        variable.set("changed")

    given = contextvars.copy_context()
    given.run(variable.set, "given")
    variable.set("current")
    loop.call_soon(see, context=given)
    loop.call_soon(see, context=None)
    loop.call_soon(see)
    turn(loop)
    assert seen == ["given", "current", "current"]
    assert (given[variable], variable.get()) == ("changed", "current")


def test_a_context_that_is_entered_already_is_reported(
    loop: NativeLoop, caplog: pytest.LogCaptureFixture
) -> None:
    context = contextvars.copy_context()
    loop.call_soon(print, context=context)
    context.run(turn, loop)
    assert "cannot enter context" in caplog.text


def test_a_cancelled_handle_does_nothing_and_forgets_its_call(loop: NativeLoop) -> None:
    class Callback:
        def __call__(self, *_: object) -> None:
            raise AssertionError

    callback, argument = Callback(), Callback()
    references = [weakref.ref(callback), weakref.ref(argument)]
    handle = loop.call_soon(callback, argument)
    del callback, argument
    assert not handle.cancelled()
    handle.cancel()
    handle.cancel()
    assert handle.cancelled()
    assert [reference() for reference in references] == [None, None]
    assert repr(handle) == "<Handle cancelled>"
    turn(loop)


def test_what_runs_outlasts_the_cancelling_of_its_handle(loop: NativeLoop) -> None:
    handles: list[asyncio.Handle] = []
    alive: list[bool] = []

    class Items(list["Item"]):
        pass

    class Item:
        def __lt__(self, _: object) -> bool:
            handles[0].cancel()
            alive.append(reference() is not None)
            return False

    items = Items([Item(), Item()])
    reference = weakref.ref(items)
    handles.append(loop.call_soon(items.sort))  # whose code in C borrows the list
    del items
    turn(loop)
    assert alive == [True]
    assert handles[0].cancelled()
    assert reference() is None


def test_a_handle_tells_what_asyncio_s_tells(loop: NativeLoop) -> None:
    context = contextvars.copy_context()
    handle = loop.call_soon(len, "four", context=context)
    assert handle.get_context() is context
    assert weakref.ref(handle)() is handle
    assert repr(handle) == "<Handle <built-in function len>>"
    assert (handle._callback, handle._args) == (len, ("four",))
    assert handle._source_traceback is None


def test_an_exception_goes_to_the_exception_handler(loop: NativeLoop) -> None:
    reports: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, report: reports.append(report))

    def fails(text: str) -> None:
        raise ValueError(text)

    own = loop.call_soon(fails, "one")
    timer = loop.call_later(0, fails, "two")
    loop.call_soon(reports.append, {"next": True})
    turn(loop)
    turn(loop)
    assert [report.get("handle") for report in reports] == [own, None, timer]
    assert "fails('one')" in reports[0]["message"]
    error = reports[0]["exception"]
    assert str(error) == "one"
    assert error.__traceback__.tb_frame.f_code is fails.__code__


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_ends_a_program_leaves_the_loop_and_the_rest_stays(
    loop: NativeLoop, kind: type[BaseException]
) -> None:
    ran: list[int] = []

    def ends() -> None:
        raise kind

    loop.call_soon(ends)
    loop.call_soon(ran.append, 1)
    with pytest.raises(kind):
        loop.run_forever()
    assert ran == []
    turn(loop)
    assert ran == [1]


def test_calls_from_threads_wake_the_loop_and_none_is_lost(loop: NativeLoop) -> None:
    calls, threads = 2_000, 8
    ran: list[tuple[int, int]] = []

    def call(number: int) -> None:
        for i in range(calls):
            loop.call_soon_threadsafe(add, number, i)
            if i % 100 == 0:
                time.sleep(0.001)  # so that the loop waits in between

    def add(number: int, i: int) -> None:
        ran.append((number, i))
        if len(ran) == calls * threads:
            loop.stop()

    workers = [threading.Thread(target=call, args=(number,)) for number in range(threads)]
    loop.call_later(30, loop.stop)
    for worker in workers:
        worker.start()
    loop.run_forever()
    for worker in workers:
        worker.join()
    assert len(ran) == calls * threads
    for number in range(threads):
        assert [i for n, i in ran if n == number] == list(range(calls))


def test_a_call_from_a_thread_needs_no_time_out(loop: NativeLoop) -> None:
    threading.Timer(0.2, loop.call_soon_threadsafe, (loop.stop,)).start()
    begun = time.monotonic()
    loop.run_forever()  # nothing else would wake it
    assert 0.15 < time.monotonic() - begun < 5


def test_a_call_from_a_thread_wakes_the_debug_mode_too(loop: NativeLoop) -> None:
    threading.Timer(0.2, loop.call_soon_threadsafe, (loop.stop,)).start()
    loop.set_debug(True)
    loop.run_forever()


def test_a_turn_into_the_debug_mode_and_back(loop: NativeLoop) -> None:
    async def main() -> str:
        for debug in (True, False, True):
            loop.set_debug(debug)
            assert loop.get_debug() is debug
            await asyncio.sleep(0.001)
            await asyncio.to_thread(time.sleep, 0.001)
        return "done"

    assert loop.run_until_complete(main()) == "done"


def test_the_debug_mode_refuses_calls_from_other_threads(loop: NativeLoop) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="Non-thread-safe"):
            await asyncio.to_thread(loop.call_soon, print)

    loop.set_debug(True)
    loop.run_until_complete(main())


class Counting(NativeLoop):
    """Counts its turns."""

    turns = 0

    def _run_once(self) -> None:
        self.turns += 1
        super()._run_once()


async def serve(app: Any, client: Any) -> None:
    """Serves while a thread runs `client(port)`."""
    async with serving(app) as server:
        await asyncio.get_running_loop().run_in_executor(None, client, server.addresses[0][1])


def test_what_a_server_s_input_makes_ready_runs_in_the_same_turn() -> None:
    loop = Counting()
    passed: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            before = loop.turns
            await asyncio.sleep(0)
            passed.append(loop.turns - before)
            await send({"type": "websocket.send", "text": "done"})

    def client(port: int) -> None:
        with connect(f"ws://127.0.0.1:{port}/") as websocket:
            for _ in range(3):
                websocket.send("x")
                websocket.recv()

    try:
        loop.run_until_complete(serve(app, client))
    finally:
        loop.close()
    assert passed == [0, 0, 0]


def test_a_server_that_has_ended_is_forgotten(loop: NativeLoop) -> None:
    counts: list[int] = []

    def count(port: int) -> None:
        handles = [each for each in gc.get_objects() if type(each) is asyncio.Handle]
        callbacks = [type(getattr(each, "_callback", None)).__name__ for each in handles]
        counts.append(callbacks.count("LoopCallback"))

    loop.run_until_complete(serve(print, count))
    turn(loop)
    count(0)
    assert counts[0] > counts[1] == 0


def test_a_closed_loop_refuses_calls() -> None:
    loop = NativeLoop()
    loop.close()
    for call in (loop.call_soon, loop.call_soon_threadsafe):
        with pytest.raises(RuntimeError, match="Event loop is closed"):
            call(print)


def test_a_closed_loop_is_freed_with_its_descriptors() -> None:
    def use() -> weakref.ref[NativeLoop]:
        loop = NativeLoop()
        loop.run_until_complete(asyncio.sleep(0))
        handle = loop.call_soon(print)
        loop.cycle = loop.call_soon(print, loop, handle)  # type: ignore[attr-defined]
        loop.close()
        return weakref.ref(loop)

    def leave_open() -> weakref.ref[NativeLoop]:
        loop = NativeLoop()
        loop.call_later(1000, print, loop)
        loop.call_soon(print, loop)
        return weakref.ref(loop)

    use()
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    references = [use() for _ in range(5)]
    gc.collect()
    assert [reference() for reference in references] == [None] * 5
    left = leave_open()
    with pytest.warns(ResourceWarning):
        gc.collect()
    assert left() is None
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("arguments", "keywords"), [((), {}), ((print,), {"other": 1}), ((), {"context": None})]
)
def test_wrong_calls_raise(
    loop: NativeLoop, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> None:
    for call in (loop.call_soon, loop.call_soon_threadsafe):
        with pytest.raises(TypeError):
            call(*arguments, **keywords)


def test_the_bare_core_cannot_crash() -> None:
    core: Any = _native.LoopCore()
    core.call_soon(print)
    with pytest.raises(RuntimeError, match="no selector"):
        core._run_once()
    with pytest.raises(OSError, match="Bad file descriptor"):
        core._watch(-1, {})
    for name in ("_ready", "_scheduled"):
        with pytest.raises(TypeError):
            delattr(core, name)
        with pytest.raises(TypeError):
            setattr(core, name, None)
    loop = NativeLoop()
    with pytest.raises(RuntimeError):
        loop._watch(0, {})
    loop.close()


def test_cpython_s_own_tests_of_event_loops_pass() -> None:
    pytest.importorskip("test.test_asyncio.test_events", reason="Python came without its tests")
    code = (
        "import unittest\n"
        "from test.test_asyncio import test_events, utils\n"
        "from cppasgi.serving.native_loop import NativeLoop\n"
        "class Tests(test_events.UnixEventLoopTestsMixin, test_events.SubprocessTestsMixin,\n"
        "            utils.TestCase):\n"
        "    def create_event_loop(self): return NativeLoop()\n"
        "unittest.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Ran 0" not in done.stderr
