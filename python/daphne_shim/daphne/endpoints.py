"""Endpoint description strings: cppasgi's function has Daphne's signature."""

from cppasgi.settings.endpoints import build_endpoint_description_strings

__all__ = ["build_endpoint_description_strings"]
