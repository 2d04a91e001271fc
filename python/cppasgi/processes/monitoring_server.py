"""The supervisor's server for its own pages: one that nobody can keep from answering.

Whoever reaches its address could otherwise open connections until no probe gets one, and have a
service ended that is well. So few may be without a request: a new one takes the place of the one
that has been so for longest, and what a probe sends is answered before that is its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cppasgi.observing.monitoring import monitoring_application
from cppasgi.serving.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from cppasgi.observing.board import MetricsBoard
    from cppasgi.observing.monitoring import SupervisorStatus

_MOST_IDLE = 64
_MOST_CONNECTIONS = 512
"""As many as may come in one turn of the event loop, at whose end all are answered."""
_REQUEST_SECONDS = 5.0
"""For a request to come."""
_SEND_SECONDS = 10.0
"""In which a client must read some of its answer."""
_KEEP_ALIVE_SECONDS = 90.0
"""More than most let pass between two scrapes."""


def monitoring_server(
    endpoint: str, board: MetricsBoard, status: Callable[[], SupervisorStatus]
) -> Server:
    """Makes the server; see `monitoring_application`.

    Args:
        endpoint: the description of where to listen.
        board: where the workers count.
        status: called for each request.

    Raises:
        EndpointError: the description is wrong or not supported.
        ImportError: prometheus_client can't be imported; the text is one line.
    """
    return Server(
        monitoring_application(board, status),
        [endpoint],
        lifespan="off",
        slow_callback=0,
        announced=False,
        limit_concurrency=_MOST_CONNECTIONS,
        replace_idle_at=_MOST_IDLE,
        timeout_request_header=_REQUEST_SECONDS,
        timeout_request_body=_REQUEST_SECONDS,
        timeout_send=_SEND_SECONDS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
