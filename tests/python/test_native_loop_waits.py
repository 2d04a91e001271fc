"""What cppasgi's own event loop waits for: timers, descriptors, signals, other threads."""

from __future__ import annotations

import signal
import socket
import threading
import time

import pytest
from test_native_loop import loop, turn

from cppasgi.serving.native_loop import NativeLoop

__all__ = ["loop"]


def test_timers_fire_in_order_and_not_early(loop: NativeLoop) -> None:
    begun = loop.time()
    fired: list[tuple[str, float]] = []

    def fire(name: str) -> None:
        fired.append((name, loop.time() - begun))

    loop.call_later(0.03, fire, "late")
    loop.call_later(0.01, fire, "early")
    loop.call_at(begun + 0.02, fire, "middle")
    cancelled = loop.call_later(0.005, fire, "cancelled")
    cancelled.cancel()
    loop.call_later(0.05, loop.stop)
    loop.run_forever()
    assert [name for name, _ in fired] == ["early", "middle", "late"]
    assert all(when >= due for (_, when), due in zip(fired, (0.01, 0.02, 0.03), strict=True))
    assert abs(loop.time() - time.monotonic()) < 1


def test_cancelled_timers_do_not_pile_up(loop: NativeLoop) -> None:
    kept = loop.call_later(1000, print)
    for _ in range(10_000):
        loop.call_later(2000, print).cancel()
        turn(loop)
    assert len(loop._scheduled) < 200
    kept.cancel()
    turn(loop)
    assert loop._scheduled == []


def test_dropping_cancelled_timers_misses_no_call_from_a_thread(loop: NativeLoop) -> None:
    turn(loop)
    for _ in range(200):
        loop.call_later(2000, print).cancel()
    threading.Timer(0.2, loop.call_soon_threadsafe, (loop.stop,)).start()
    loop.run_forever()


def test_a_cancelled_reader_is_removed(loop: NativeLoop) -> None:
    ours, theirs = socket.socketpair()
    loop._add_reader(ours, print).cancel()
    theirs.send(b"x")
    turn(loop)
    assert not loop.remove_reader(ours)
    ours.close()
    theirs.close()


def test_a_removed_reader_is_not_called_in_the_same_turn(loop: NativeLoop) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    called: list[int] = []

    def read(number: int) -> None:
        called.append(number)
        for ours, _ in pairs:
            loop.remove_reader(ours)

    for number, (ours, theirs) in enumerate(pairs):
        loop.add_reader(ours, read, number)
        theirs.send(b"x")
    turn(loop)
    turn(loop)
    assert len(called) == 1
    for pair in pairs:
        for end in pair:
            end.close()


def test_both_directions_of_a_descriptor(loop: NativeLoop) -> None:
    ours, theirs = socket.socketpair()
    called: list[str] = []
    loop.add_writer(ours, called.append, "write")
    turn(loop)
    loop.add_reader(ours, called.append, "read")
    theirs.send(b"x")
    turn(loop)
    assert called == ["write", "read", "write"]
    loop.remove_writer(ours)
    theirs.close()
    turn(loop)
    assert called[3:] == ["read"]
    loop.remove_reader(ours)
    ours.close()


def test_a_python_signal_handler_runs_while_the_loop_waits(loop: NativeLoop) -> None:
    def handler(*_: object) -> None:
        loop.call_soon(loop.stop)

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        threading.Timer(0.1, signal.pthread_kill, (threading.get_ident(), signal.SIGUSR1)).start()
        loop.run_forever()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_keyboard_interrupt_ends_a_wait(loop: NativeLoop) -> None:
    threading.Timer(0.1, signal.pthread_kill, (threading.get_ident(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()


def test_a_busy_loop_leaves_the_interpreter_to_threads(loop: NativeLoop) -> None:
    counted = 0

    def count() -> None:
        nonlocal counted
        for _ in range(20):
            counted += sum(range(1000)) > 0
            loop.call_soon_threadsafe(lambda: None)
        loop.call_soon_threadsafe(loop.stop)

    def spin() -> None:
        loop.call_soon(spin)

    spin()
    threading.Thread(target=count).start()
    loop.call_later(10, loop.stop)
    loop.run_forever()
    assert counted == 20
