"""The ASGI application: `cppasgi redred.asgi:application`.

HTTP goes to Django, WebSockets to the consumers. There is no `lifespan` entry, so the router raises
on that scope and the server carries on without it.
"""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "redred.settings")
django_application = get_asgi_application()

# This imports models, so Django has to be set up first.
from .routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter(websocket_urlpatterns))
        ),
    }
)
