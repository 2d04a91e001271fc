"""Helpers that others import from Daphne."""

import importlib


def import_by_path(path):
    """Imports ``module:attribute``; the attribute may be dotted."""
    module_path, object_path = path.split(":", 1)
    target = importlib.import_module(module_path)
    for name in object_path.split("."):
        target = getattr(target, name)
    return target


def header_value(headers, header_name):
    """Returns the first value of a field as text; ``headers`` has bytes or lists of them."""
    value = headers[header_name]
    return (value[0] if isinstance(value, list) else value).decode("utf-8")


def parse_x_forwarded_for(
    headers,
    address_header_name="X-Forwarded-For",
    port_header_name="X-Forwarded-Port",
    proto_header_name="X-Forwarded-Proto",
    original_addr=None,
    original_scheme=None,
):
    """Returns ([host, port], scheme) as proxies name them, else the originals.

    The first address counts; port and scheme count only where there is an address. ``headers`` are
    a dict or Twisted's `Headers`.
    """
    if not address_header_name:
        return original_addr, original_scheme
    if hasattr(headers, "getAllRawHeaders"):
        headers = dict(headers.getAllRawHeaders())
    fields = {name.lower(): value for name, value in headers.items()}
    assert all(isinstance(name, bytes) for name in fields), "names of fields are bytes"

    def find(name):
        key = name.lower().encode("utf-8") if name else None
        return header_value(fields, key) if key in fields else None

    address = find(address_header_name)
    if address is None:
        return original_addr, original_scheme
    if "," in address:
        address = address.split(",")[0].strip()
    try:
        port = int(find(port_header_name) or 0)
    except ValueError:
        port = 0
    return [address, port], find(proto_header_name) or original_scheme
