"""What a worker process gets from its supervisor, and how it says that it is ready."""

from __future__ import annotations

import os
import signal
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, NamedTuple

from cppasgi import _native

if TYPE_CHECKING:
    from cppasgi.board import BoardSlot

VARIABLE = "_CPPASGI_WORKER"
"""Environment variable with a `Worker` as JSON; whoever has it is a worker process."""


class Worker(NamedTuple):
    """This process as one of a supervisor's.

    Attributes:
        number: its place among the workers, from 1 on.
        supervisor: process id of the supervisor, with which the worker ends.
        sockets: descriptors of bound sockets, each with its backlog.
        ready_fd: the end of a pipe: a byte says ready, closing it without one says failed.
        board: where it counts.
    """

    number: int
    supervisor: int
    sockets: tuple[tuple[int, int], ...]
    ready_fd: int
    board: BoardSlot

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

        from cppasgi.board import BoardSlot

        values = json.loads(text)
        values["sockets"] = tuple((fd, backlog) for fd, backlog in values["sockets"])
        values["board"] = BoardSlot(*values["board"])
        worker = cls(**values)
        for descriptor in worker.descriptors():
            os.set_inheritable(descriptor, False)
        _native.die_with_parent(worker.supervisor, signal.SIGTERM)
        return worker

    def variable(self) -> dict[str, str]:
        """The environment variable for the process."""
        import json

        return {VARIABLE: json.dumps(self._asdict())}

    def descriptors(self) -> list[int]:
        """Those that the process has to inherit."""
        return [self.ready_fd, self.board.fd, *(descriptor for descriptor, _ in self.sockets)]

    def report_ready(self) -> None:
        """Tells the supervisor that connections are accepted. Once."""
        try:
            os.write(self.ready_fd, b"1")
            os.close(self.ready_fd)
        except BrokenPipeError:
            pass  # The supervisor is gone, and a signal on its way.
