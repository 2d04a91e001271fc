"""Settings of the site, which daphne serves."""
import daphne
from daphne.server import Server

INSTALLED_APPS = [
    "cppasgi",  # daphne has to stand before staticfiles
    "django.contrib.staticfiles",
    'channels',
]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "daphne", "USER": 'daphne'}}
LOGGING = {"loggers": {"daphne": {"level": "INFO"}, "daphne.server": {}}}
SERVER = "daphne"
CACHES = {"default": {"KEY_PREFIX": "daphne"}}
DAPHNE_WEBSOCKET_MAX_MESSAGE_SIZE = 1
