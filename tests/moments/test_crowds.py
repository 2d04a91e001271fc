"""A crowd that leaves at random moments, and a load that goes on: nothing is left, nothing grows.

`TEST_CROWD` is the number of clients (1,000 is the proof that counts), `TEST_SOAK_MINUTES` how long
the load goes on, `TEST_SEED` repeats a run.
"""

from __future__ import annotations

import os
import random
import time

import pytest
from crowd import AT_ONCE, Crowd, Neighbour
from invariants import ALARMS, Before, clean_up, left_behind
from processes import resident
from services import Database, group_size

from servers import Server, Servers

CLIENTS = int(os.environ.get("TEST_CROWD", "200"))
SOAK_SECONDS = 60 * float(os.environ.get("TEST_SOAK_MINUTES", "0.15"))
SEED = os.environ.get("TEST_SEED") or str(random.randrange(10**6))
POOL_SIZE = 10  # of each process, as in served/settings.py
MIB = 1 << 20
MOST_GROWTH = 8  # MiB
MOST_OBJECTS = 1000  # of some 35,000
CALM = 15  # seconds within which all of a crowd is cleaned up after

pytestmark = pytest.mark.timeout(int(2 * SOAK_SECONDS) + CLIENTS + 120)


def wait_until_calm(server: Server, database: Database, before: Before, redis: str) -> None:
    """All have been cleaned up after; the message says what hasn't."""
    end = time.monotonic() + CALM
    while True:
        for bystander in server.bystanders.values():
            bystander.state(collect=True)
        # Responses are left out: see matrix.django_drops_the_response().
        problems = [
            *clean_up("crowd", server.notes(), responses=False),
            *left_behind(server, before),
        ]
        if (present := database.present("crowd")) != 0:
            problems.append(f"the count of who is present is {present}")
        if (members := group_size(redis, "room")) != 0:
            problems.append(f"the group still has {members} members")
        if not problems:
            return
        assert time.monotonic() < end, "\n".join([f"seed {SEED}", *problems, server.process.log()])
        time.sleep(0.1)


def check(server: Server, crowd: Crowd, neighbour: Neighbour) -> None:
    """Nobody else noticed anything, and the log is quiet."""
    trouble = [*neighbour.trouble, *crowd.failures()]
    for bystander in server.bystanders.values():
        trouble += bystander.trouble
    assert not trouble, f"seed {SEED}: {trouble}\n{server.process.log()[-5000:]}"
    assert set(neighbour.statuses) == {200}, (SEED, neighbour.statuses)
    assert neighbour.connections <= POOL_SIZE * len(server.bystanders), SEED
    alarm = ALARMS.search(server.process.log())
    assert alarm is None, f"seed {SEED}:\n{server.process.log()[-5000:]}"
    print(
        f"seed {SEED}: beside {crowd.clients} clients {neighbour.statuses.total()} answers,"
        f" the slowest {neighbour.slowest:.2f} s; at most {neighbour.connections} connections"
    )


def test_crowd_that_leaves_at_random_moments_leaves_nothing(
    servers: Servers, database: Database, redis: str
) -> None:
    server = servers.start("plain", "pool", "redis")
    try:
        before = Before.of(server, database)
        crowd = Crowd(server.address, random.Random(SEED))
        memory = []
        with Neighbour(server.address, database) as neighbour:
            for _ in range(2):
                crowd.send(CLIENTS // 2)
                memory += [resident(pid) / MIB for pid in server.bystanders]
        wait_until_calm(server, database, before, redis)
        check(server, crowd, neighbour)
        print(f"memory after the first half {memory[0]:.1f} MiB, at the end {memory[1]:.1f}")
        assert memory[1] - memory[0] < MOST_GROWTH
    finally:
        server.close()


def test_load_that_goes_on_takes_no_more_memory_or_objects(
    servers: Servers, database: Database, redis: str
) -> None:
    server = servers.start("workers", "pool", "redis")
    try:
        before = Before.of(server, database)
        crowd = Crowd(server.address, random.Random(SEED))
        held = []
        for share in (1 / 3, 2 / 3):  # to warm up, and to see
            end = time.monotonic() + share * SOAK_SECONDS
            with Neighbour(server.address, database) as neighbour:
                while time.monotonic() < end:
                    crowd.leave = not crowd.leave
                    crowd.send(2 * AT_ONCE)
            wait_until_calm(server, database, before, redis)
            check(server, crowd, neighbour)
            held.append({p: (resident(p) / MIB, b.objects) for p, b in server.bystanders.items()})
        print(f"{SOAK_SECONDS:.0f} s: (MiB, objects) of each process {held}")
        for pid, (memory, objects) in held[0].items():
            assert held[1][pid][0] - memory < MOST_GROWTH
            assert held[1][pid][1] - objects < MOST_OBJECTS
    finally:
        server.close()
