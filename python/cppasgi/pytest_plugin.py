"""A pytest fixture that serves applications in processes of their own.

``pytest_plugins = ["cppasgi.pytest_plugin"]`` in ``conftest.py`` brings it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from cppasgi.testing import BaseServerInstance

if TYPE_CHECKING:
    from cppasgi.settings.asgi import Application


@pytest.fixture
def serve_asgi() -> Iterator[Callable[..., BaseServerInstance]]:
    """Serves applications in processes of their own until the test ends.

    ``serve_asgi(application, **kwargs)`` takes the arguments of `cppasgi.Server` and returns a
    `cppasgi.testing.BaseServerInstance`, which has ``host`` and ``port``.
    """
    with contextlib.ExitStack() as running:

        def serve(application: Application, **kwargs: Any) -> BaseServerInstance:
            return running.enter_context(BaseServerInstance(application=application, **kwargs))

        yield serve
