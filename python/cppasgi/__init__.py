"""cppasgi: a native ASGI server for HTTP, WebSocket and lifespan.

``cppasgi module:application`` on the command line, or in a program::

    cppasgi.Server(application, host="127.0.0.1", port=8000).run()

    server = cppasgi.Server(application, port=0)
    serving = asyncio.create_task(server.serve())  # inside a running event loop
    await server.started()
    print(server.addresses)
"""

from cppasgi._native import ClientDisconnected, __version__
from cppasgi.serving.lifespan import LifespanError
from cppasgi.serving.server import Server
from cppasgi.settings.endpoints import ListenError

__all__ = ["ClientDisconnected", "LifespanError", "ListenError", "Server", "__version__"]
