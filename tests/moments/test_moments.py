"""Every cell: a client comes to a moment, something happens, and the invariants hold."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from clients import Client
from events import EVENTS
from invariants import Before, broken, expected
from matrix import MOMENTS, Cell, cells
from services import Database

from servers import Servers, unreachable

pytestmark = pytest.mark.timeout(180)  # a busy machine takes long to start workers


@pytest.mark.parametrize("cell", cells(), ids=str)
def test_moment(
    cell: Cell, servers: Servers, database: Database, record_property: Callable[[str, str], None]
) -> None:
    if reason := unreachable(servers.kind, cell):
        pytest.skip(reason)
    key = uuid.uuid4().hex[:12]
    server = servers.take(cell.server)
    before = Before.of(server, database)
    client = Client(server, cell, key)
    problems = []
    try:
        client.enter(cell.moment)
        seen = EVENTS[cell.event](server, client, cell)
        if seen not in expected(cell):
            problems.append(f"the client saw {seen!r}, not {' or '.join(expected(cell))}")
        problems += broken(cell, key, server, database, before, seen)
    except BaseException:
        server.close()
        raise
    finally:
        client.wire.close()
    if problems or cell.event == "sigterm":
        server.close()
    else:
        servers.give_back(cell.server, server)
    story = f"{cell.app.name}, {MOMENTS[cell.moment]}, then {cell.event}"
    log = server.process.log()[before.log :]
    record_property("seen", seen)
    for problem in problems:
        record_property("problem", problem.split("\n")[0])
    noted = [what for _, about, what in server.notes() if about == key]
    assert not problems, "\n".join([story, *problems, f"noted: {noted}", f"log:\n{log[-2000:]}"])
