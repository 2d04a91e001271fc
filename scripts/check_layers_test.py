#!/usr/bin/env python3
"""Tests check_layers.py on trees with one include or import each, allowed and forbidden ones."""

import re
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
    ("server/session/drivers/protocol_chooser.cpp", '"server/session/drivers/http1_driver.h"'),
    ("server/session/session_host.cpp", '"server/session/drivers/http1_driver.h"'),
    ("server/session/access_log.cpp", '"server/session/exchange/http_exchange.h"'),
    ("server/server.h", "<pybind11/pybind11.h>"),
    ("server/attic/old.h", "<vector>"),  # a folder without a layer
    ("asgi_bridge/scope.cpp", '"server/session/connection/connection.h"'),
    ("asgi_bridge/scope.cpp", "<uv.h>"),
    ("examples/echo_server.cpp", "<Python.h>"),
]
ALLOWED_IMPORTS = [
    ("settings/times.py", "import math"),
    ("settings/times.py", "from cppasgi.settings.values import port"),
    ("observing/board.py", "from cppasgi import _native"),
    ("observing/board.py", "from cppasgi._native import Server"),
    ("observing/log_setup.py", "from cppasgi.log_text import LogFormatter"),
    ("serving/server.py", "from cppasgi.observing import loop_watch"),
    ("processes/supervisor.py", "import cppasgi.serving.server"),
    ("command/cli.py", "from cppasgi.processes.supervisor import Supervisor"),
    ("command/migrating/shell.py", "from cppasgi.command.migrating import marks"),
    ("__init__.py", "from cppasgi.serving.server import Server"),
    ("management/commands/runserver.py", "from cppasgi import Server"),
]
FORBIDDEN_IMPORTS = [
    ("settings/times.py", "from cppasgi.serving.server import Server"),
    ("settings/times.py", "from cppasgi import _native"),
    ("observing/monitoring.py", "from cppasgi import __version__"),
    ("observing/monitoring.py", "import cppasgi"),
    ("observing/monitoring.py", "from cppasgi.serving.lifespan import Application"),
    ("serving/server.py", "from cppasgi.processes import supervisor"),
    ("serving/server.py", "import cppasgi.command.cli"),
    ("serving/server.py", "from cppasgi.testing import ServerInstance"),
    ("serving/server.py", "from ..command import cli"),
    ("processes/supervisor.py", "from cppasgi.command.options import OptionParser"),
    ("log_text.py", "from cppasgi.observing import log_setup"),
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

    def test_the_readme_of_the_bridge_says_what_its_files_may_include(self) -> None:
        readme = Path(__file__).parent.parent / "asgi_bridge/README.md"
        documented = {}
        for files, headers, libraries in re.findall(
            r"^\| ((?:`\w+`(?:, )?)+|all others) \| ([^|]*)\| ([^|]*)\|$", readme.read_text(), re.M
        ):
            names = re.findall(r"`(\w+)`", files)
            for layer in [f"asgi_bridge/{name}." for name in names] or ["asgi_bridge/"]:
                included = {f"server/{name}" for name in re.findall(r"`([^`]+)`", headers)}
                documented[layer] = included | {name.lower() for name in libraries.split()}
        rule = {
            layer: set(allowed) - {"asgi_bridge/", "python"}
            for layer, allowed in check_layers.LAYERS.items()
            if layer.startswith("asgi_bridge/")
        }
        assert documented == rule

    def import_violations(self, source: str, statement: str) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "python/cppasgi", source)
            path.parent.mkdir(parents=True)
            path.write_text(f"def function():\n    {statement}\n")
            return check_layers.violations(Path(folder))

    def test_allowed_imports_pass(self) -> None:
        for source, statement in ALLOWED_IMPORTS:
            with self.subTest(source=source, statement=statement):
                assert self.import_violations(source, statement) == []

    def test_forbidden_imports_are_reported_though_a_function_does_them(self) -> None:
        for source, statement in FORBIDDEN_IMPORTS:
            with self.subTest(source=source, statement=statement):
                found = self.import_violations(source, statement)
                assert len(found) == 1
                assert found[0].startswith(f"python/cppasgi/{source}:2: ")

    def test_a_folder_that_is_no_wing_is_reported(self) -> None:
        found = self.import_violations("attic/old.py", "import math")
        assert found == ["python/cppasgi/attic/old.py:1: no wing is known for this file"]


if __name__ == "__main__":
    unittest.main()
