"""What must be true after every cell, whatever happened in it. Each check says what is wrong.

A Before is taken when nothing is under way; `broken` compares with it until all is well or the time
is over.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from matrix import SERVER_EVENTS, Cell, django_drops_the_response
from processes import is_alive
from services import Database

from servers import Server

# (what begins, what must follow as often, whose rule that is)
PAIRS = (
    ("call", "call ended", "the application's call must end"),
    ("begun", "ended", "a raw application's finally must run"),
    ("response", "close", "Django's response.close() must be called once for each response"),
    ("response", "closed", "response.close() must get to its end"),
    ("generator", "generator closed", "a stream's generator must get to its finally"),
    ("file", "file closed", "the file of a FileResponse must be closed"),
    ("connect", "disconnect", "a consumer's disconnect() must be called once for each connect()"),
    ("connect", "disconnected", "disconnect() must get to its end"),
)
ALARMS = re.compile(
    "Traceback|Task was destroyed|never retrieved|never awaited|Exception (in|ignored)"
    "|unclosed|CRITICAL|ERROR"
)
COMPARED = ("tasks", "threads", "taken from the pool", "members of the group")


@dataclass
class Before:
    """What a server held before the cell."""

    states: dict[int, dict[str, Any]]
    files: dict[int, Counter[str]]
    connections: int
    log: int
    access_log: int

    @classmethod
    def of(cls, server: Server, database: Database) -> Before:
        states: dict[int, dict[str, Any]] = {}
        for pid, bystander in server.bystanders.items():
            state = bystander.state()
            assert state, f"the server doesn't answer: {bystander.trouble}"
            states[pid] = state
        return cls(
            states,
            {pid: server.open_files(pid) for pid in states},
            database.connections(),
            len(server.process.log()),
            len(server.process.access_log()),
        )


def broken(
    cell: Cell,
    key: str,
    server: Server,
    database: Database,
    before: Before,
    seen: str,
) -> list[str]:
    """What is still wrong when the time is over, and garbage has been collected.

    A collection also has Python complain of what nobody awaited, retrieved or closed.
    """
    end = time.monotonic() + server.kind.after
    while True:
        for bystander in server.bystanders.values():
            bystander.state(collect=True)
        notes = server.notes()
        found = [
            *clean_up(key, notes, responses=not django_drops_the_response(cell)),
            *(_ended(server, before) if cell.stops else left_behind(server, before)),
            *_database(key, database, before),
        ]
        if not found or time.monotonic() > end:
            break
        time.sleep(0.05)
    found += _log(cell, key, server, before, seen)
    for bystander in server.bystanders.values():
        found += bystander.trouble
    return found


def clean_up(
    key: str, notes: list[tuple[int, str, str]], *, responses: bool = True
) -> Iterator[str]:
    """What of the applications' clean-up hasn't run, or too often."""
    said = Counter(what for _, about, what in notes if about == key)
    for first, then, rule in PAIRS:
        if said[first] != said[then] and (responses or first != "response"):
            yield f"{rule}: {first!r} {said[first]} times, {then!r} {said[then]} times"
    signals = Counter(what for _, about, what in notes if about == "django")
    if signals["request_started"] != signals["request_finished"]:
        yield f"Django's signals must come in pairs: {dict(signals)}"


def _ended(server: Server, before: Before) -> Iterator[str]:
    """What is wrong with processes that had to stop."""
    for pid in before.states:
        if is_alive(pid):
            yield f"process {pid} must end"
        elif not server.bystanders[pid].has_left(5):
            yield f"the bystander's connections must be ended, but not all those of {pid} are"
        yield from _lifespan(server, pid)


def left_behind(server: Server, before: Before) -> Iterator[str]:
    """What processes hold that they didn't before."""
    for pid, bystander in server.bystanders.items():
        if bystander.latest is None:
            yield f"the state of process {pid} can't be had: {bystander.trouble}"
        else:
            yield from _growth(pid, before.states[pid], bystander.latest)
            files = server.open_files(pid)
            yield from _more(f"open files of process {pid}", before.files[pid], files)


def _lifespan(server: Server, pid: int) -> Iterator[str]:
    said = Counter(
        what for who, about, what in server.notes(0) if (who, about) == (pid, "lifespan")
    )
    if said["startup"] != said["shutdown"]:
        yield f"lifespan shutdown must run once in each process, but in {pid} {dict(said)}"


def _growth(pid: int, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for name in COMPARED:
        was, now = old[name], new[name]
        if isinstance(now, dict):
            for problem in _more(f"{name} of process {pid}", Counter(was), Counter(now)):
                yield problem + (f", which wait at {new['waits']}" if name == "tasks" else "")
        elif now > was:
            yield f"{name} (process {pid}): {was} before, {now} after"


def _more(what: str, old: Counter[str], new: Counter[str]) -> Iterator[str]:
    if left := new - old:
        yield f"left behind, {what}: {dict(left)}"


def _database(key: str, database: Database, before: Before) -> Iterator[str]:
    if (present := database.present(key)) != 0:
        yield f"the count of who is present must be 0 after all have gone, but is {present}"
    pooled = all(state["pooled"] for state in before.states.values())
    if not pooled and (now := database.connections()) > before.connections:
        yield f"connections to the database: {before.connections} before, {now} after"


def _log(cell: Cell, key: str, server: Server, before: Before, seen: str) -> Iterator[str]:
    log, deaths = re.subn(f".*{server.kind.death}", "", server.process.log()[before.log :])
    if deaths != (cell.event == "kill_neighbour"):
        yield f"the log must tell of a killed worker, and only of that: {deaths} times"
    if alarm := ALARMS.search(log):
        yield f"the log has {alarm[0]!r}:\n{log[-3000:]}"
    lines = [x for x in server.process.access_log()[before.access_log :].splitlines() if key in x]
    kinds = Counter(line.split('"')[1].split()[0] if '"' in line else line for line in lines)
    if any(number != 1 for number in kinds.values()) or (seen == "complete" and not lines):
        yield f"the access log must tell of every answer once: {lines}"


def expected(cell: Cell) -> tuple[str, ...]:
    """What the client may see in the end; docs/when_something_ends.md says it in words."""
    app, event, moment = cell.app, cell.event, cell.moment
    if event in ("close", "reset") or (moment == "cleanup" and app.endless):
        return ("gone",)
    if event == "silence":
        return _expected_of_silence(cell)
    if event == "half_close":
        if app.websocket:
            return ("closed", "ended without a close frame", "close 1000", "close 1006")
        if moment in ("half_head", "half_body"):
            return ("closed", "status 400")
        if app.endless:  # and so quiet that it counts as gone, maybe before its first part
            return ("complete", "cut", *(("closed",) if moment == "before" else ()))
        return ("closed",) if moment == "idle" else ("complete",)
    if event == "kill_neighbour":
        if app.websocket:
            return ("close 1000",) if moment == "cleanup" else ("open",)
        if app.endless:
            return ("half an answer, then silence",)
        return ("open",) if moment == "idle" else ("complete",)
    assert event in SERVER_EVENTS
    if app.websocket:
        if moment == "cleanup":
            return ("close 1000",)
        codes = ("close 1001", "close 1012")
        early = ("status 503", "closed") if moment in ("half_head", "connecting") else ()
        return (*codes, *early)
    if moment == "half_head":
        return ("complete", "closed")
    return ("closed",) if moment == "idle" else ("complete",)


def _expected_of_silence(cell: Cell) -> tuple[str, ...]:
    if cell.app.websocket:
        return {
            "half_head": ("status 408",),
            "connecting": ("status 503",),
        }.get(cell.moment, ("ended without a close frame", "close 1011"))
    return {
        "half_head": ("status 408",),
        "half_body": ("status 408",),
        "before": ("status 503",),
        "idle": ("closed",),
    }.get(cell.moment, ("cut",))
