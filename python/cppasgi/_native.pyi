"""The C++ side of cppasgi as Python sees it (asgi_bridge/module.cpp)."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextvars import Context
from selectors import SelectorKey
from types import FrameType
from typing import Any

from typing_extensions import TypeVarTuple, Unpack, disjoint_base

_Ts = TypeVarTuple("_Ts")
_Application = Callable[..., Awaitable[None]]

__version__: str

class ClientDisconnected(ConnectionError):
    """Raised by ``send()`` once the client has left (ASGI HTTP 2.4, WebSocket 2.4)."""

def keep_freed_memory() -> None:
    """Has the heap of the process keep freed memory while it is busy (server/base/heap.h)."""

def write_last_words_as_json() -> None:
    """Has native lines on standard error be JSON, as in `cppasgi.observing.json_log`."""

def collect_stacks(signum: int) -> int:
    """Has stacks that a handler of `signum` writes into the descriptor that this returns written
    to standard error, whole and with the process id (server/process/last_words.h)."""

def end_at_sigterm() -> None:
    """Has a SIGTERM end the process with status 0, until another handler is installed."""

def stop_insisted() -> bool:
    """Whether a signal since `guard_stop` was more than the first request once more."""

def pass_over_repeats() -> None:
    """Gives SIGTERM its default action, but not for repeats of the request since `guard_stop`."""

def guard_stop(signals: Sequence[int], grace: float, dump_signal: int) -> None:
    """Has the process end `grace` seconds after the first of `signals`, even while it is stuck.

    Status 1, after the calling thread got `dump_signal`. Only signals that have handlers count; to
    be called after those are installed (server/process/stop_guard.h).
    """

def end_process_in(seconds: float) -> None:
    """The same from now on, or another deadline."""

def keep_process() -> None:
    """Takes the deadline back."""

def die_with_parent(parent_pid: int, signum: int) -> None:
    """Sends `signum` to this process when its parent ends; at once if that isn't `parent_pid`."""

class LoopGuard:
    """Ends the process when the loop of the thread that makes this is stuck for good.

    Needs neither that loop nor the interpreter (server/process/loop_guard.h).
    """

    def __init__(
        self,
        limit: float,
        period: float,
        dump_signal: int,
        status: int,
        metrics_fd: int,
        metrics_index: int,
    ) -> None:
        """Starts a thread.

        Args:
            limit: seconds without a `beat`, of the time in which the process could run, after which
                it ends; infinite never ends it.
            period: seconds in which a beat is expected.
            dump_signal: what the calling thread gets before the end, if that has a handler.
            status: exit status of the end.
            metrics_fd: descriptor of a board in which to tell of the loop's silence, or -1.
            metrics_index: which of its blocks.
        """

    def beat(self) -> None:
        """Says that the loop runs."""

    def stop(self) -> None:
        """Lets the process go on, whatever happens."""

METRICS_BYTES: int
METRICS_ROUTES: tuple[int, int, int]
"""Where a block has its routes: offset, bytes of each, number (server/metrics.h)."""
"""Size of one server's block of counters: whole pages."""

def metrics_layout() -> list[tuple[str, str, str, str, str, int]]:
    """Describes the numbers of a block: (family, kind, help, label, value of the label, offset).

    Each is an unsigned integer of 8 bytes. Kinds are ``counter``, ``gauge`` and ``histogram``,
    whose numbers add up over workers, and ``worker``, a gauge whose don't. Of a histogram the label
    is ``le`` (buckets, not cumulative) or ``sum``. A family in ``_seconds`` is in nanoseconds. Rows
    that differ in the offset only are to be added up.
    """

class LineWriter:
    """Writes lines to a descriptor without ever waiting for it (server/base/line_writer.h)."""

    def __init__(self, fd: int) -> None:
        """``fd`` stays the caller's."""

    def write(self, lines: bytes) -> None:
        """Writes lines, each with its newline; what can't be written now waits, or is left out."""

    @property
    def waiting(self) -> bool:
        """Whether something couldn't be written yet: `flush` is due every now and then."""

    def flush(self) -> None:
        """Writes of that what can be written."""

    def finish(self, seconds: float) -> None:
        """Gives a reader so long to make room, then leaves out what still waits."""

    def discard(self) -> None:
        """Forgets what waits."""

    @property
    def dropped(self) -> int:
        """How many lines were left out so far."""

    def take_untold(self) -> int:
        """How many of these are to be told now; 0 while lines wait, and a minute after the last."""

class ServerOptions:
    """Options of a server, in seconds and bytes.

    Besides those below there is each that ``for_each_option`` in server/options.h names, with the
    meaning and the default that it has there. A time-out of 0 is switched off, as is an infinite
    one.
    """

    root_path: str
    daphne_strict: bool
    """The native side of ``--daphne-strict``."""
    access_log_fd: int
    """Descriptor that receives access log lines, or -1 for none. Not closed by the server."""
    sends_files: bool
    """Whether the extensions are announced that send files."""
    finishes_responses: bool
    """Once a client has left, its response may be sent on in vain, though nobody listens."""
    plain_tasks: bool
    """Whether the loop's ``create_task`` makes an `asyncio.Task` and nothing else, unless a task
    factory is set. Then tasks take their first step at once on Python 3.12 and later."""
    after_disconnect_timeout: float
    """Once its client has left, how long an application that listens for that, or whose response
    has a known end, may go on sending in vain."""

    def __init__(self) -> None: ...
    def __getattr__(self, name: str) -> Any: ...
    def __setattr__(self, name: str, value: Any) -> None: ...

class Server:
    """One HTTP and WebSocket server inside one asyncio event loop.

    Every method is for the loop's thread.
    """

    def __init__(
        self,
        application: _Application,
        loop: asyncio.AbstractEventLoop,
        options: ServerOptions,
        served: Callable[[FrameType | None], str],
    ) -> None:
        """Attaches the server to ``loop``, which has ``add_reader`` and needn't run yet.

        ``served`` says what a stack serves, for the log."""

    def bind_fd(
        self, fd: int, backlog: int = 0, proxy_protocol: bool = False
    ) -> tuple[str, int] | str | None:
        """Takes over a bound socket, a copy of the descriptor.

        Args:
            backlog: connections that may wait to be accepted; 0 is `ServerOptions.backlog`.
            proxy_protocol: whether each connection begins with a PROXY preamble.

        Returns:
            Its address; a path for a Unix socket, None for an unnamed one.

        Raises:
            OSError: the descriptor is no stream socket.
        """

    def start(self, state: MutableMapping[str, Any] | None = None) -> None:
        """Starts to accept on every bound socket.

        Args:
            state: each scope gets a shallow copy of it unless it is None.

        Raises:
            OSError: listen(2) failed.
        """

    def drain(
        self, on_drained: Callable[[], object], restarts: bool = False, window: float = 0.0
    ) -> tuple[int, int, int]:
        """Stops accepting and ends politely.

        Idle connections close, responses in flight finish, WebSockets get close 1001, server-sent
        events end.

        Args:
            on_drained: called once, from the loop, when no connection and no running application
                call is left.
            restarts: whether there is a server again at the same addresses: close 1012, and idle
                connections get 5 s for one more request.
            window: seconds over which WebSockets and event streams are ended, one after another.

        Returns:
            how many responses, event streams and WebSockets there are.
        """

    def cut_short(self) -> None:
        """Ends what is left: requests get 503, begun responses are cut, idle connections close."""

    def cancel_applications(self) -> int:
        """Cancels the tasks of all running application calls and returns how many there were."""

    def overdue_applications(self, timeout: float) -> list[asyncio.Task[None]]:
        """Tasks that still run ``timeout`` seconds after their response or client was over.

        Each is returned once. Times count from the first call that finds an exchange over, so this
        is to be called regularly.
        """

    def tell_after(self, requests: int, fd: int) -> None:
        """Writes a byte into ``fd``, which must stay open, when so many have been answered.

        Requests and opening handshakes count; at the end of the batch in which it is so.
        """

    def note_heartbeat(self, lag: float, gil_wait: float, dropped_lines: int = 0) -> None:
        """Notes that the loop runs now.

        Args:
            lag: seconds by which the loop came later than it was due.
            gil_wait: seconds that it waited for the interpreter's lock.
            dropped_lines: lines of the server log that were left out so far.
        """

    def close(self) -> None:
        """Drops every connection and listener at once and detaches from the loop. Idempotent.

        In a forked child the same as `disown`.
        """

    def disown(self) -> None:
        """Lets go of everything in a forked child: nothing of it happens to the parent's server."""

    @property
    def connections(self) -> int:
        """Open connections."""

    @property
    def running_applications(self) -> int:
        """Application calls that have not returned."""

@disjoint_base
class LoopCore:
    """What `cppasgi.serving.native_loop.NativeLoop` has in C++ (asgi_bridge/loop_core.h).

    Comes before `asyncio.SelectorEventLoop`, whose methods these replace.
    """

    def call_soon(
        self,
        callback: Callable[[Unpack[_Ts]], object],
        *args: Unpack[_Ts],
        context: Context | None = None,
    ) -> asyncio.Handle:
        """As asyncio's."""

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[_Ts]], object],
        *args: Unpack[_Ts],
        context: Context | None = None,
    ) -> asyncio.Handle:
        """As asyncio's; costs no system call unless the loop waits."""

    def time(self) -> float:
        """As asyncio's: `time.monotonic()`."""

    def _waits_itself(self) -> bool:
        """Says that Python code is about to wait, in a turn that isn't the loop's own.

        From then on, until the next turn of its own, threads wake it as asyncio's loop. False when
        the first such wait must only look."""

    def _watch(self, epoll_fd: int, keys: dict[int, SelectorKey]) -> None:
        """Says what the loop's `selectors.EpollSelector` waits for; once, before the first turn."""
