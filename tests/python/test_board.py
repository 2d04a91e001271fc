"""The board of counters (cppasgi.observing.board): lending blocks, taking them back, adding up."""

from __future__ import annotations

import asyncio
import os
import struct
import time

import pytest

from cppasgi import _native
from cppasgi.observing.board import LAYOUT, BoardSlot, MetricsBoard, Row


def row(family: str, value: str = "") -> Row:
    return next(row for row in LAYOUT if (row.family, row.value) == (family, value))


def write(board: MetricsBoard, slot: BoardSlot, row: Row, number: int) -> None:
    """As a worker would."""
    board._block(slot.place)[row.word] = number


REQUESTS = row("cppasgi_http_requests_total", "200")
OPEN = row("cppasgi_connections")
HEARTBEAT = row("cppasgi_worker_heartbeat_seconds")
DURATION = row("cppasgi_http_request_duration_seconds", "0.001")


def test_every_number_has_a_place_of_its_own_per_family() -> None:
    places = [(row.family, row.offset) for row in LAYOUT]
    assert len(set(places)) == len(places)
    assert all(row.offset % 8 == 0 for row in LAYOUT)


def test_totals_add_up_workers() -> None:
    board = MetricsBoard.create(slots=2)
    first, second = board.allocate(), board.allocate()
    write(board, first, REQUESTS, 3)
    write(board, second, REQUESTS, 4)
    write(board, second, OPEN, 5)
    assert board.totals()[REQUESTS.word] == 7
    assert board.totals()[OPEN.word] == 5
    assert board.read(first)[REQUESTS.word] == 3
    board.close()


def test_what_a_retired_worker_counted_stays_and_its_gauges_end() -> None:
    board = MetricsBoard.create(slots=1)
    for round_number in (1, 2, 3):
        slot = board.allocate()
        assert board.read(slot) == [0] * len(board.read(slot))
        for number in (REQUESTS, OPEN, HEARTBEAT, DURATION):
            write(board, slot, number, 10)
        board.retire(slot)
        totals = board.totals()
        assert totals[REQUESTS.word] == totals[DURATION.word] == 10 * round_number
        assert totals[OPEN.word] == totals[HEARTBEAT.word] == 0
    board.close()


def test_what_a_killed_worker_had_open_is_counted_as_cut() -> None:
    board = MetricsBoard.create(slots=1)
    slot = board.allocate()
    write(board, slot, row("cppasgi_http_requests_in_flight"), 3)
    write(board, slot, row("cppasgi_websocket_connections"), 2)
    write(board, slot, row("cppasgi_websocket_disconnects_total", "1006"), 5)
    board.retire(slot)
    totals = board.totals()
    assert totals[row("cppasgi_http_requests_total", "cut").word] == 3
    assert totals[row("cppasgi_websocket_disconnects_total", "1006").word] == 7
    assert totals[row("cppasgi_http_requests_in_flight").word] == 0
    assert totals[row("cppasgi_websocket_connections").word] == 0
    board.close()


def test_routes_add_up_by_name_and_are_bounded() -> None:
    offset, size, count = _native.METRICS_ROUTES
    board = MetricsBoard.create(slots=2)

    def write_route(slot: BoardSlot, place: int, name: str, *counts: int) -> None:
        text = name.encode()
        route = struct.pack(f"=4Q{len(text)}s", len(text), *counts, text)
        begin = slot.place * _native.METRICS_BYTES + offset + place * size
        board._memory[begin : begin + len(route)] = route

    first, second = board.allocate(), board.allocate()
    write_route(first, 0, "/a", 1, 0, 5)
    write_route(first, 1, "/b", 2, 1, 6)
    write_route(second, 0, "/b", 3, 0, 7)
    write_route(second, count - 1, "", 4, 4, 8)
    expected = {"/a": (1, 0, 5), "/b": (5, 1, 13), "other": (4, 4, 8)}
    assert board.routes() == expected
    board.retire(second)
    assert board.routes() == expected
    # New workers with new names, again and again.
    for number in range(100):
        slot = board.allocate()
        write_route(slot, 0, f"/{number}", 1, 0, 0)
        board.retire(slot)
    routes = board.routes()
    assert len(routes) == count
    assert sum(each.requests for each in routes.values()) == 1 + 5 + 4 + 100
    assert routes["/a"] == (1, 0, 5)
    board.close()


def test_a_board_has_so_many_slots() -> None:
    board = MetricsBoard.create(slots=2)
    first, second = board.allocate(), board.allocate()
    with pytest.raises(RuntimeError, match="are taken"):
        board.allocate()
    board.retire(first)
    with pytest.raises(ValueError, match="not in use"):
        board.retire(first)
    assert board.allocate() == first != second
    with pytest.raises(ValueError, match="slots"):
        MetricsBoard.create(slots=0)
    board.close()


def test_another_process_reads_the_same_board() -> None:
    board = MetricsBoard.create(slots=2)
    slot = board.allocate()
    write(board, slot, REQUESTS, 8)
    board.retire(slot)
    write(board, board.allocate(), REQUESTS, 1)
    other = MetricsBoard.from_fd(os.dup(board.fileno()))
    assert other.totals()[REQUESTS.word] == 9
    assert other.allocate() != slot
    other.close()
    board.close()


async def ignore(scope: object, receive: object, send: object) -> None: ...


def test_a_heartbeat_is_on_the_board_as_long_as_the_server_lives() -> None:
    board = MetricsBoard.create(slots=1)
    slot = board.allocate()
    options = _native.ServerOptions()
    options.metrics_fd, options.metrics_index = slot.fd, slot.place
    loop = asyncio.new_event_loop()
    server = _native.Server(ignore, loop, options, str)
    before = time.monotonic_ns()
    server.note_heartbeat(0.25, 0.003)
    numbers = board.read(slot)
    assert before <= numbers[HEARTBEAT.word] <= time.monotonic_ns()
    assert numbers[row("cppasgi_worker_loop_lag_seconds").word] == 250_000_000
    assert numbers[row("cppasgi_worker_gil_wait_seconds").word] == 3_000_000
    assert numbers[row("cppasgi_loop_lag_seconds", "0.25").word] == 1
    board.close()
    server.note_heartbeat(0, 0)  # its memory is still there
    server.close()
    loop.close()


def test_a_place_that_is_not_on_the_board_is_refused() -> None:
    board = MetricsBoard.create(slots=1)
    options = _native.ServerOptions()
    options.metrics_fd, options.metrics_index = board.fileno(), 3
    loop = asyncio.new_event_loop()
    with pytest.raises(OSError, match="Invalid argument"):
        _native.Server(ignore, loop, options, str)
    loop.close()
    board.close()
