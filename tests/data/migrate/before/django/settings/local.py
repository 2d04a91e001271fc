from .base import *  # noqa

if DEBUG:
    INSTALLED_APPS = ['daphne'] + INSTALLED_APPS
    INSTALLED_APPS.insert(0, "daphne")
    INSTALLED_APPS += ["daphne"] if ASGI else []
elif "daphne" in INSTALLED_APPS:
    INSTALLED_APPS.remove("daphne")
MIDDLEWARE = ["daphne"]
