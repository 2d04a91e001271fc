DJANGO_APPS = ["django.contrib.auth"]
SERVER_APPS = ("daphne",)
LOCAL_APPS = ["site.daphne", "daphne_tools"]
OTHER_APPS = ["daphne"]
INSTALLED_APPS: list[str] = [*SERVER_APPS] + DJANGO_APPS + LOCAL_APPS
