"""What a worker process gets from its supervisor, and how it says that it is ready."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, NamedTuple

from cppasgi import _native

if TYPE_CHECKING:
    from cppasgi.observing.board import BoardSlot

VARIABLE = "_CPPASGI_WORKER"
"""Environment variable with a `Worker` as JSON; whoever has it is a worker process."""


READY = b"1"
READY_UNCOUNTED = b"0"
"""What a worker writes into its pipe when it is ready."""


class Worker(NamedTuple):
    """This process as one of a supervisor's.

    Attributes:
        number: its place among the workers, from 1 on.
        supervisor: process id of the supervisor, with which the worker ends.
        sockets: descriptors of bound sockets, each with its backlog.
        ready_fd: the end of a pipe: a byte says ready, closing it without one says failed. One
            more says that ``requests`` are answered.
        requests: after which the worker is to be replaced; 0 is never.
        is_late: whether the service is up already, so that no log may keep it from going on.
        proxied: those of the sockets whose connections begin with a PROXY preamble.
        board: where it counts; None where its supervisor's version of cppasgi counts otherwise.
    """

    number: int
    supervisor: int
    sockets: tuple[tuple[int, int], ...]
    ready_fd: int
    board: BoardSlot | None
    requests: int = 0
    is_late: bool = False
    proxied: tuple[int, ...] = ()

    @classmethod
    def inherited(cls, environ: MutableMapping[str, str]) -> Worker | None:
        """Takes the variable out of the environment; None if this is no worker process.

        From then on the supervisor's end is a SIGTERM for this process, and what the process
        itself starts inherits none of the descriptors.
        """
        text = environ.pop(VARIABLE, None)
        if text is None:
            return None
        import json

        from cppasgi.observing.board import LAYOUT_ID, BoardSlot

        values = json.loads(text)
        values["sockets"] = tuple((fd, backlog) for fd, backlog in values["sockets"])
        is_known = values.pop("layout") == LAYOUT_ID
        board = BoardSlot(*values.pop("board"))
        if not is_known:
            os.close(board.fd)
        values["board"] = board if is_known else None
        # What another version has besides is passed over.
        worker = cls(**{name: values[name] for name in cls._fields if name in values})
        for descriptor in worker.descriptors():
            os.set_inheritable(descriptor, False)
        _native.die_with_parent(worker.supervisor, signal.SIGTERM)
        return worker

    def variable(self) -> dict[str, str]:
        """The environment variable for the process."""
        import json

        from cppasgi.observing.board import LAYOUT_ID

        return {VARIABLE: json.dumps({**self._asdict(), "layout": LAYOUT_ID})}

    def descriptors(self) -> list[int]:
        """Those that the process has to inherit."""
        board = [] if self.board is None else [self.board.fd]
        return [self.ready_fd, *board, *(descriptor for descriptor, _ in self.sockets)]

    def report_ready(self) -> None:
        """Tells the supervisor that connections are accepted, and whether they count. Once."""
        with contextlib.suppress(BrokenPipeError):  # it is gone, and a signal on its way
            os.write(self.ready_fd, READY_UNCOUNTED if self.board is None else READY)
        if not self.requests:
            os.close(self.ready_fd)
