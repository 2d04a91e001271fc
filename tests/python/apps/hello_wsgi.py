"""What users of other servers name by mistake: applications of WSGI."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application

settings.configure()
django = get_wsgi_application()
