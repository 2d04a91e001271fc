"""The Django application: ``"cppasgi"`` in INSTALLED_APPS brings its `runserver`."""

from django.apps import AppConfig
from django.core import checks

from cppasgi.checks import check_listed_before_staticfiles


class CppasgiConfig(AppConfig):
    """Same as Daphne's: the order in INSTALLED_APPS is checked with Django's other checks."""

    name = "cppasgi"
    verbose_name = "cppasgi"

    def ready(self) -> None:
        """Registers the check."""
        checks.register(check_listed_before_staticfiles, checks.Tags.staticfiles)
