"""The watch over the event loop: what it logs when the loop is blocked."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from types import FrameType
from typing import Any, ClassVar

import pytest
from conftest import StartServer

from cppasgi.observing import loop_watch
from cppasgi.observing.loop_watch import LoopWatch, served

pytestmark = pytest.mark.python_side


def test_blocked_loop_is_logged_once_with_its_stack(server: StartServer) -> None:
    process = server("apps.working:app", "--slow-callback", "0.3")
    with process.connect() as wire:
        wire.request("/blocked/1.5")
        assert wire.response().body
    log = process.log()
    assert log.count("The event loop is blocked for 0.3 s so far by GET /blocked/1.5") == 1
    assert "time.sleep(" in log
    assert process.get("/").status_code == 200


def test_every_block_is_logged_whenever_it_begins(caplog: pytest.LogCaptureFixture) -> None:
    """Also where it isn't much longer than what is asked for."""
    blocks = 8
    answers: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        watch = LoopWatch(loop, 0.5, 1, lambda lag, _: answers.append(lag))
        for number in range(blocks):
            await asyncio.sleep(0.3 + 0.07 * number)
            time.sleep(0.75)
        await asyncio.sleep(0.3)
        watch.stop()

    began = time.monotonic()
    asyncio.run(main())
    assert sum("is blocked for 0." in record.message for record in caplog.records) == blocks
    assert blocks <= len(answers) <= blocks + time.monotonic() - began  # one a second beside these


def test_watch_can_be_switched_off(server: StartServer) -> None:
    process = server("apps.working:app", "--slow-callback", "0")
    with process.connect() as wire:
        wire.request("/blocked/1.2")
        assert wire.response().body
    assert "blocked" not in process.log().split("GET /blocked")[0]


class Consumer:
    """A consumer as Channels': it has its scope."""

    scope = {"type": "websocket", "path": "/ws/chat/"}  # noqa: RUF012

    def frame(self) -> FrameType:
        return sys._getframe()


def frame_with_scope(scope: object) -> FrameType:
    return sys._getframe()


def frame_below(frame: FrameType | None) -> FrameType:
    return sys._getframe()


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (Consumer().frame(), "websocket /ws/chat/ (Consumer)"),
        (frame_with_scope({"type": "http", "method": "GET", "path": "/a"}), "GET /a"),
        (frame_with_scope("not a scope"), "code outside of any request"),
        (None, "code outside of any request"),
    ],
)
def test_what_a_stack_serves(frame: FrameType | None, text: str) -> None:
    assert served(frame) == text


class Booby:
    """Raises whatever one does with it, and says that it was touched."""

    touched: ClassVar[list[str]] = []

    def __getattribute__(self, name: str) -> object:
        Booby.touched.append(name)
        raise KeyboardInterrupt(name)

    def frame(self) -> FrameType:
        return sys._getframe()


class BoobyDict(dict[object, object]):
    """The same as a scope."""

    def _touched(self, *_: object) -> Any:
        Booby.touched.append("scope")
        raise SystemExit

    get = __getitem__ = __iter__ = items = keys = __contains__ = _touched  # type: ignore[assignment]


class BoobyText(str):
    __slots__ = ()

    def __format__(self, _: str) -> str:
        Booby.touched.append("text")
        return "never"


class BoobyKey:
    """As a key it has the hash of a path."""

    def __hash__(self) -> int:
        return hash("path")

    def __eq__(self, other: object) -> bool:
        Booby.touched.append("key")
        raise ValueError


class Lazy:
    """A consumer whose scope is made on demand."""

    @property
    def scope(self) -> dict[str, str]:
        Booby.touched.append("property")
        raise RuntimeError("not now")

    def frame(self) -> FrameType:
        return sys._getframe()


class WithBoobyDict(Consumer):
    def __init__(self) -> None:
        object.__setattr__(self, "__dict__", BoobyDict())


class NamedByMeta(type):
    def __getattribute__(cls, name: str) -> object:
        Booby.touched.append(name)
        raise RuntimeError


class Renamed(Consumer, metaclass=NamedByMeta):
    pass


class Namespace(dict[str, object]):
    def get(self, *_: object) -> object:
        Booby.touched.append("namespace")
        raise RuntimeError


def frame_of_class_body() -> FrameType:
    """Its locals are what the metaclass has prepared."""
    frames: list[FrameType] = []

    class Meta(type):
        @classmethod
        def __prepare__(cls, *_: object) -> Namespace:  # type: ignore[override]
            return Namespace()

    class Body(metaclass=Meta):
        frames.append(sys._getframe())

    return frames[0]


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (object.__getattribute__(Booby(), "frame")(), None),
        (Lazy().frame(), None),
        (frame_with_scope(Booby()), None),
        (frame_with_scope(BoobyDict(path="/x", type="http")), "http /x"),
        (frame_with_scope({"path": BoobyText("/x")}), None),
        (frame_with_scope({BoobyKey(): "/x", "type": "http"}), None),
        (Renamed().frame(), "websocket /ws/chat/ (Renamed)"),
        (WithBoobyDict().frame(), "websocket /ws/chat/ (WithBoobyDict)"),
        (frame_of_class_body(), None),
    ],
)
def test_what_a_stack_serves_is_found_without_running_code(
    frame: FrameType, text: str | None
) -> None:
    Booby.touched.clear()
    found = served(frame)
    assert Booby.touched == []
    assert found == (text or "code outside of any request")


def test_watch_outlives_whatever_its_report_meets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a log handler that ends the thread; its loop answers to the end."""
    answers: list[float] = []
    reports: list[str] = []

    def report(text: str, *arguments: object) -> None:
        reports.append(text % arguments)
        raise SystemExit

    monkeypatch.setattr(loop_watch.logger, "warning", report)
    monkeypatch.setattr(loop_watch.logger, "exception", report)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        watch = LoopWatch(loop, 0.1, 0.05, lambda lag, _: answers.append(lag))
        for _ in range(2):
            time.sleep(0.4)
            answers.clear()
            await asyncio.sleep(0.4)
            assert answers
        watch.stop()

    asyncio.run(main())
    assert sum("is blocked for" in line for line in reports) >= 2


def test_watch_ends_without_a_word_when_its_loop_is_closed_as_it_asks(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread has just found it open, and the loop's own thread closes it."""
    loop = asyncio.new_event_loop()
    call_soon_threadsafe = loop.call_soon_threadsafe

    def closed_meanwhile(*call: Any) -> object:
        loop.close()
        return call_soon_threadsafe(*call)

    monkeypatch.setattr(loop, "call_soon_threadsafe", closed_meanwhile)
    before = set(threading.enumerate())
    LoopWatch(loop, 0, 0.001, lambda *_: None)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()
    assert loop.is_closed()
    assert not caplog.records


def test_watch_ends_when_it_is_stopped_as_it_begins_to_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.new_event_loop()  # nobody runs it any more
    before = set(threading.enumerate())
    watch = LoopWatch(loop, 0, 0.1, lambda *_: None)
    (thread,) = set(threading.enumerate()) - before
    clear = watch._answered.clear

    def stopped_meanwhile() -> None:
        watch.stop()
        clear()

    monkeypatch.setattr(watch._answered, "clear", stopped_meanwhile)
    thread.join(10)
    assert not thread.is_alive()
    loop.close()


def test_idle_watch_costs_nothing_to_speak_of(server: StartServer) -> None:
    process = server("apps.working:app")
    before = process.cpu_seconds()
    time.sleep(2)
    assert process.cpu_seconds() - before <= 0.02
