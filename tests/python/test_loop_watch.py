"""The watch over the event loop: what it logs when the loop is blocked."""

from __future__ import annotations

import sys
import time
from types import FrameType

import pytest
from conftest import StartServer

from cppasgi.loop_watch import served

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


def test_idle_watch_costs_nothing_to_speak_of(server: StartServer) -> None:
    process = server("apps.working:app")
    before = process.cpu_seconds()
    time.sleep(2)
    assert process.cpu_seconds() - before <= 0.02
