#!/usr/bin/env python3
"""Tests check_layers.py on trees with one include each, allowed ones and forbidden ones."""

import tempfile
import unittest
from pathlib import Path

import check_layers

ALLOWED = [
    ("server/base/error.h", "<string_view>"),
    ("server/http/status.cpp", '"server/http/status.h"'),
    ("server/http1/request_parser.cpp", "<llhttp.h>"),
    ("server/http1/request_parser.cpp", '"server/options.h"'),
    ("server/net/uv_stream.cpp", "<uv.h>"),
    ("server/session/connection/connection.cpp", '"server/net/stream.h"'),
    ("server/session/drivers/http1_driver.cpp", '"server/session/exchange/http_exchange.h"'),
    ("server/session/drivers/http1_driver.cpp", '"server/session/drivers/http1_transport.h"'),
    ("server/server.cpp", '"server/session/drivers/protocols.h"'),
    ("asgi_bridge/scope.cpp", "<Python.h>"),
    ("asgi_bridge/loop_bridge.cpp", '"server/net/event_loop.h"'),
]
FORBIDDEN = [
    ("server/base/error.h", '"server/http/status.h"'),
    ("server/http/status.cpp", "<Python.h>"),
    ("server/http/status.cpp", "<sys/socket.h>"),
    ("server/http1/request_parser.cpp", '"server/net/stream.h"'),
    ("server/http1/request_parser.cpp", "<openssl/sha.h>"),
    ("server/http1/request_parser.cpp", '"request_parser.h"'),  # includes are written from the root
    ("server/websocket/websocket_protocol.h", '"server/http1/events.h"'),
    ("server/net/uv_stream.cpp", '"server/http/status.h"'),
    ("server/session/connection/connection.cpp", '"server/net/uv_stream.h"'),
    ("server/session/connection/connection.cpp", "<uv.h>"),
    ("server/session/connection/connection.h", '"server/http1/http1_protocol.h"'),
    ("server/session/connection/connection.h", '"server/websocket/frame.h"'),
    ("server/session/connection/connection.h", '"server/session/drivers/protocols.h"'),
    ("server/session/exchange/http_exchange.cpp", '"server/http1/http1_protocol.h"'),
    ("server/session/exchange/http_exchange.cpp", '"server/session/drivers/http1_transport.h"'),
    ("server/session/exchange/http_exchange.cpp", '"server/session/connection/connection.h"'),
    ("server/session/drivers/http1_driver.cpp", '"server/session/drivers/websocket_driver.h"'),
    ("server/session/drivers/websocket_driver.cpp", '"server/session/drivers/http1_driver.h"'),
    ("server/server.h", "<pybind11/pybind11.h>"),
    ("server/attic/old.h", "<vector>"),  # a folder without a layer
    ("asgi_bridge/scope.cpp", '"server/session/connection/connection.h"'),
    ("asgi_bridge/scope.cpp", "<uv.h>"),
    ("examples/echo_server.cpp", "<Python.h>"),
]


class CheckLayersTest(unittest.TestCase):
    def violations(self, source: str, header: str) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, source)
            path.parent.mkdir(parents=True)
            path.write_text(f"// A file.\n#include {header}\n")
            return check_layers.violations(Path(folder))

    def test_allowed_includes_pass(self) -> None:
        for source, header in ALLOWED:
            with self.subTest(source=source, header=header):
                assert self.violations(source, header) == []

    def test_forbidden_includes_are_reported_with_file_and_line(self) -> None:
        for source, header in FORBIDDEN:
            with self.subTest(source=source, header=header):
                found = self.violations(source, header)
                assert len(found) == 1
                assert found[0].startswith(f"{source}:2: ")


if __name__ == "__main__":
    unittest.main()
