"""Django's system check of the application ``daphne``."""

from django.core.checks import Error

from cppasgi.checks import is_after_staticfiles


def check_daphne_installed(app_configs, **kwargs):
    """Demands that ``daphne`` stands before ``django.contrib.staticfiles`` in INSTALLED_APPS."""
    if is_after_staticfiles("daphne"):
        text = "Daphne must be listed before django.contrib.staticfiles in INSTALLED_APPS."
        return [Error(text, id="daphne.E001")]
    return []
