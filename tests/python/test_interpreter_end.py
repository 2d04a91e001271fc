"""The interpreter ends while threads still use the server: a daemon thread that serves, and others.

Python before 3.14 unwinds such a thread's stack when it asks for the interpreter, which C++ frames
forbid: the process used to abort. Each case runs in processes of its own, several times, since it
takes chance to be in the wrong place. TEST_INTERPRETER_ENDS is how often (5).
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.python_side

REPETITIONS = int(os.environ.get("TEST_INTERPRETER_ENDS", "5"))
STATUS = 3  # Django's autoreloader asks for a new process with it

SERVE = """
import asyncio, gc, socket, sys, threading, time
import cppasgi

async def app(scope, receive, send):
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while True:
        await send({"type": "http.response.body", "body": b"data: x\\n\\n", "more_body": True})
        PAUSE

started = threading.Event()
server = cppasgi.Server(
    app, port=0, lifespan="off", loop=LOOP, signal_handlers=False, ready_callable=started.set,
    slow_callback=0.01,
)
threading.Thread(target=server.run, daemon=True).start()
started.wait()
clients = [socket.create_connection(server.addresses[0]) for _ in range(4)]

def read(client):
    while client.recv(4096):
        pass

for client in clients:
    client.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    threading.Thread(target=read, args=(client,), daemon=True).start()
"""

PAUSES = {
    "waits in the loop": "await asyncio.sleep(0.001)",
    "sends without a pause": "await asyncio.sleep(0)",
    "sleeps in the application": "time.sleep(0.05)",
    "computes": "sum(range(20000))",
    "waits for a thread": "await asyncio.to_thread(time.sleep, 0.001)",
}

# Other threads than the loop's, with a destructor that is in the middle of something.
ENTRANCES = {
    "call_soon_threadsafe": "loop.call_soon_threadsafe(Slow())",
    "cancelled handle": "loop.call_soon(Slow()).cancel()",
    "freed handle": "loop.call_soon(Slow()); loop._ready.clear()",
    "garbage collection": "cycle(loop.call_soon(Slow())); loop._ready.clear(); gc.collect()",
    "representation": "repr(loop.call_soon(Slow()))",
}

ENTER = """
import gc, sys, threading, time
from cppasgi.serving.native_loop import NativeLoop

class Slow:
    def __call__(self):
        pass
    def __del__(self):
        time.sleep(0.05)
    def __repr__(self):
        time.sleep(0.05)
        return "slow"

class Box:
    pass

def cycle(handle):
    box = Box()
    box.box, box.handle = box, handle

loop = NativeLoop()

def work():
    while True:
        ENTRANCE

for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
"""


def ends_well(code: str) -> None:
    for number in range(REPETITIONS):
        end = f"\ntime.sleep({0.05 + 0.013 * (number % 7)})\nsys.exit({STATUS})\n"
        ended = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code) + end],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ended.returncode == STATUS, ended.stderr[-3000:]
        assert "terminate called" not in ended.stderr
        assert "Fatal Python error" not in ended.stderr


@pytest.mark.parametrize("what", PAUSES)
@pytest.mark.parametrize("loop", ["native", "asyncio", "uvloop"])
def test_server_in_a_daemon_thread(loop: str, what: str) -> None:
    ends_well(SERVE.replace("LOOP", repr(loop)).replace("PAUSE", PAUSES[what]))


@pytest.mark.parametrize("what", ENTRANCES)
def test_any_thread_that_runs_code_under_ours(what: str) -> None:
    ends_well(ENTER.replace("ENTRANCE", ENTRANCES[what]))
