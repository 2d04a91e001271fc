"""Daphne's import names on cppasgi. ``__version__`` is the Daphne whose interface this is."""

import importlib.metadata
import warnings

__version__ = "4.2.3"

try:
    importlib.metadata.distribution("daphne")
except importlib.metadata.PackageNotFoundError:
    pass
else:
    warnings.warn(
        "Both daphne and cppasgi-daphne are installed, and their modules are mixed. "
        "Uninstall both, then install the one you want.",
        stacklevel=2,
    )
