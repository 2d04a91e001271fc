"""Daphne's server processes for tests, on `cppasgi.testing`."""

from cppasgi.testing import BaseServerInstance, ScriptedApplication, ServerInstance, ServerProcess
from daphne.endpoints import build_endpoint_description_strings


class DaphneProcess(ServerProcess):
    """A process with one `daphne.server.Server`; ``kwargs`` are arguments of that class."""

    def make_server(self, application):
        """Returns the server."""
        from daphne.server import Server

        return Server(
            application=application,
            endpoints=build_endpoint_description_strings(host=self.host, port=self.port.value),
            signal_handlers=False,
            ready_callable=lambda: self.on_ready(self.server.listening_addresses[0][1]),
            **self.kwargs,
        )


class BaseDaphneTestingInstance(BaseServerInstance):
    """A running `DaphneProcess` as a context manager."""

    process_class = DaphneProcess

    def __init__(
        self,
        xff=False,
        http_timeout=None,
        request_buffer_size=None,
        websocket_max_message_size=None,
        websocket_max_frame_size=None,
        *,
        application,
    ):
        kwargs = {
            "http_timeout": http_timeout,
            "request_buffer_size": request_buffer_size,
            "websocket_max_message_size": websocket_max_message_size,
            "websocket_max_frame_size": websocket_max_frame_size,
        }
        if xff:
            for part, field in (("address", "For"), ("port", "Port"), ("proto", "Proto")):
                kwargs[f"proxy_forwarded_{part}_header"] = f"X-Forwarded-{field}"
        kwargs = {name: value for name, value in kwargs.items() if value is not None}
        super().__init__(application=application, **kwargs)

    def get_received(self):
        """Nothing: the application is the caller's own."""


class DaphneTestingInstance(ServerInstance, BaseDaphneTestingInstance):
    """A server with an application that notes what it receives; see `ServerInstance`."""


class TestApplication(ScriptedApplication):
    """The application of `DaphneTestingInstance`. Its notes end with each instance."""

    __test__ = False

    @classmethod
    def delete_setup(cls):
        """Nothing is left over to delete."""

    @classmethod
    def delete_result(cls):
        """Nothing is left over to delete."""


def _reinstall_reactor():
    raise RuntimeError(
        "cppasgi-daphne runs without Twisted: there is no reactor to install. Override "
        "DaphneProcess.make_server() instead of run()."
    )
