"""The Django application: ``"daphne"`` in INSTALLED_APPS brings `runserver`."""

from django.apps import AppConfig
from django.core import checks

from daphne.checks import check_daphne_installed


class DaphneConfig(AppConfig):
    """Registers Daphne's check."""

    name = "daphne"
    verbose_name = "Daphne"

    def ready(self):
        checks.register(check_daphne_installed, checks.Tags.staticfiles)
