"""The WSGI application, for HTTP when Gunicorn serves it beside the WebSockets' ASGI server."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "redred.settings")
application = get_wsgi_application()
