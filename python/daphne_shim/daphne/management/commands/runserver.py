"""``manage.py runserver`` with Daphne's `Server` and names, on cppasgi's command."""

from django.conf import settings

from cppasgi import ListenError
from cppasgi.management.commands.runserver import Command as RunserverCommand
from cppasgi.management.commands.runserver import get_default_application
from daphne import __version__
from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server

__all__ = ["Command", "get_default_application"]


class Command(RunserverCommand):
    """Same as Daphne's command, `server_cls` included."""

    server_cls = Server
    server_name = f"ASGI/Daphne version {__version__}"

    def serve(self, application, options):
        """Serves with `server_cls`."""
        server = self.server_cls(
            application=application,
            endpoints=build_endpoint_description_strings(host=self.addr, port=int(self.port)),
            signal_handlers=not options["use_reloader"],
            action_logger=self.log_action,
            http_timeout=options["http_timeout"],
            root_path=settings.FORCE_SCRIPT_NAME or "",
            websocket_handshake_timeout=options["websocket_handshake_timeout"],
            websocket_max_message_size=self.size_limit("MESSAGE", options),
            websocket_max_frame_size=self.size_limit("FRAME", options),
            ready_callable=lambda: self.on_bind(server.listening_addresses[0][1]),
        )
        self.stop_serving = server.stop
        server.run()
        if server.abort_start:
            raise ListenError(f"Couldn't listen on {self.addr}:{self.port}")
