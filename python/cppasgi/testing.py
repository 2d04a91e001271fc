"""Real servers for tests: processes of their own that tell the test which port they listen on.

With Channels, before anything of Daphne's is needed::

    class SiteTests(ChannelsLiveServerTestCase):
        ProtocolServerProcess = ServerProcess

Without Django::

    with ServerInstance() as server:
        server.add_send_messages([{"type": "websocket.accept"}])
        ...  # connect to server.host, server.port
        scope, messages = server.get_received()
"""

from __future__ import annotations

import asyncio
import multiprocessing
import multiprocessing.queues
import pickle
import shutil
import tempfile
import time
import traceback
import weakref
from collections.abc import Callable, Iterable, Mapping
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cppasgi.serving.server import Server

if TYPE_CHECKING:
    from typing_extensions import Self

    from cppasgi.settings.asgi import Application

_IDLE_SECONDS = 2.0


class ServerProcess(multiprocessing.Process):
    """A process with one server in it; takes the place of Daphne's ``DaphneProcess``.

    Works with every start method: what it is given must be picklable under ``spawn``.

    Attributes:
        port: shared integer, the real port once `ready` is set.
        ready: event, set once connections are accepted.
        errors: queue of (exception, traceback as text), what ended the server.
        server: the server; only in the child.
    """

    def __init__(
        self,
        host: str,
        get_application: Callable[[], Application],
        kwargs: Mapping[str, Any] | None = None,
        setup: Callable[[], object] | None = None,
        teardown: Callable[[], object] | None = None,
        port: int | None = None,
    ) -> None:
        """Prepares the process; `start()` starts it, `terminate()` ends it.

        Args:
            host: address or name to listen on.
            get_application: returns the application; called in the child.
            kwargs: further arguments of `cppasgi.Server`.
            setup: called in the child before it serves.
            teardown: called in the child when the server has returned, which SIGTERM precludes.
            port: TCP port; by default a free one.
        """
        super().__init__()
        self.host = host
        self.get_application = get_application
        self.kwargs = dict(kwargs or {})
        self.setup = setup
        self.teardown = teardown
        self.port: Synchronized[int] = multiprocessing.Value("i", port or 0)
        self.ready = multiprocessing.Event()
        self.errors: multiprocessing.queues.Queue[tuple[BaseException, str]] = (
            multiprocessing.Queue()
        )

    def run(self) -> None:
        """Serves, in the child."""
        application = self.get_application()
        try:
            self.server = self.make_server(application)
            if self.setup is not None:
                self.setup()
            try:
                self.server.run()
            finally:
                if self.teardown is not None:
                    self.teardown()
        except BaseException as error:
            self.errors.put((_picklable(error), traceback.format_exc()))

    def make_server(self, application: Application) -> Any:
        """Returns the server, which has `run()` and calls `on_ready` with its port."""
        server = Server(
            application,
            host=self.host,
            port=self.port.value,
            signal_handlers=False,
            ready_callable=lambda: self.on_ready(int(server.addresses[0][1])),
            **self.kwargs,
        )
        return server

    def on_ready(self, port: int) -> None:
        """Tells the parent that connections are accepted."""
        self.port.value = port
        self.ready.set()


class BaseServerInstance:
    """A running `ServerProcess` as a context manager, for an application of the test's own.

    Attributes:
        host, port: where it listens.
        process: the `ServerProcess`.
        startup_timeout: seconds it may take to start.
    """

    startup_timeout: float = 10
    host = "127.0.0.1"
    process_class = ServerProcess
    port: int
    process: ServerProcess

    def __init__(self, *, application: Application, **kwargs: Any) -> None:
        """Prepares the server; ``kwargs`` are further arguments of `cppasgi.Server`."""
        self.application = application
        self.kwargs = kwargs

    def get_application(self) -> Application:
        """Returns the application; a hook for subclasses, called in the child."""
        return self.application

    def __enter__(self) -> Self:
        """Starts the server.

        Raises:
            RuntimeError: it did not start; the text has the traceback of the child.
        """
        self.process = self.process_class(
            self.host,
            self.get_application,
            self.kwargs,
            self.process_setup,
            self.process_teardown,
        )
        self.process.start()
        end = time.monotonic() + self.startup_timeout
        while not self.process.ready.wait(0.05):
            if self.process.is_alive() and time.monotonic() < end:
                continue
            if self.process.errors.empty():
                reason = "no error caught"
            else:
                reason = "\n" + self.process.errors.get(False)[1]
            self.__exit__(None, None, None)
            raise RuntimeError(f"The server did not start up: {reason}")
        self.port = self.process.port.value
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        exc_traceback: TracebackType | None,
    ) -> None:
        """Ends the process."""
        self.process.terminate()
        self.process.join()

    def process_setup(self) -> None:
        """Called in the child before it serves."""

    def process_teardown(self) -> None:
        """Called in the child when the server has returned."""


class ServerInstance(BaseServerInstance):
    """A server whose application notes what it receives and sends what the test tells it to."""

    def __init__(self, **kwargs: Any) -> None:
        """Prepares the server; ``kwargs`` are arguments of `cppasgi.Server`."""
        folder = Path(tempfile.mkdtemp(prefix="cppasgi-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.script = ScriptedApplication(folder)
        super().__init__(application=self.script, **kwargs)
        self.kwargs.setdefault("lifespan", "off")

    def get_received(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Returns the scope and all messages that the application has received so far.

        Raises:
            ValueError: none yet.
            Exception: what was raised in the application.
        """
        return self.script.load_received()

    def add_send_messages(self, messages: Iterable[Mapping[str, Any]]) -> None:
        """Has the application send these once it receives its next message."""
        self.script.save_answers(messages)


class ScriptedApplication:
    """The application of `ServerInstance`; talks to the test through two files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.answers_file = folder / "answers"
        self.received_file = folder / "received"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Receives and answers until the client leaves or something is raised, which is noted."""
        messages: list[dict[str, Any]] = []

        def note(*, idle: bool) -> None:
            _write(self.received_file, (dict(scope), messages, None, idle))

        try:
            while not messages or not messages[-1]["type"].endswith(".disconnect"):
                receiving = asyncio.ensure_future(receive())
                await asyncio.sleep(0)
                if messages and not receiving.done():
                    note(idle=True)
                messages.append(await receiving)
                note(idle=False)
                for message in self.take_answers():
                    await send(message)
            note(idle=True)
        except Exception as error:
            _write(self.received_file, (None, None, _picklable(error), True))

    def save_answers(self, messages: Iterable[Mapping[str, Any]]) -> None:
        """Notes what is to be sent next."""
        _write(self.answers_file, list(messages))

    def take_answers(self) -> list[dict[str, Any]]:
        """Returns what is to be sent now, and forgets it."""
        taken = self.answers_file.with_suffix(".taken")
        try:
            self.answers_file.replace(taken)
        except FileNotFoundError:
            return []
        answers: list[dict[str, Any]] = pickle.loads(taken.read_bytes())
        return answers

    def load_received(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Returns the scope and the messages; raises what was raised.

        Waits, but not for long, until the application has nothing more to receive.

        Raises:
            ValueError: nothing has been received yet.
        """
        end = time.monotonic() + _IDLE_SECONDS
        while True:
            try:
                content = self.received_file.read_bytes()
            except FileNotFoundError:
                raise ValueError("No results available yet.") from None
            scope, messages, error, idle = pickle.loads(content)
            if idle or time.monotonic() > end:
                break
            time.sleep(0.005)
        if error is not None:
            raise error
        return scope, messages


def _write(path: Path, value: object) -> None:
    # Whoever reads sees all of it or nothing.
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(pickle.dumps(value))
    unfinished.replace(path)


def _picklable(error: BaseException) -> BaseException:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
