"""The WSGI application, for HTTP when Gunicorn serves it beside the WebSockets' ASGI server."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "idrissimart.settings")
application = get_wsgi_application()
