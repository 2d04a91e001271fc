from .base import *  # noqa

if DEBUG:
    INSTALLED_APPS = ['cppasgi'] + INSTALLED_APPS
    INSTALLED_APPS.insert(0, "cppasgi")
    INSTALLED_APPS += ["cppasgi"] if ASGI else []
elif "cppasgi" in INSTALLED_APPS:
    INSTALLED_APPS.remove("cppasgi")
MIDDLEWARE = ["daphne"]
