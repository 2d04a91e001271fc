#!/usr/bin/env python3
"""Checks that every #include in C++ and every import in Python obeys the layer rule; prints others.

The tables below are the rule (docs/design/0001-layers.md says why, server/README.md shows that of
C++ to readers). A linker can't check it: headers such as <uv.h> and <openssl/ssl.h> sit in
/usr/include, so a PRIVATE link line doesn't hide them. Imports inside functions count, and those
for types alone.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# What each layer may include besides itself and the C++ standard library. The first layer that is a
# prefix of a source file's path decides, so single files stand before their folders. An entry that
# ends in "/" is a folder of the project, one in ".h" a file; every other is a name in LIBRARIES.
LAYERS: dict[str, list[str]] = {
    "server/options.h": ["server/base/", "server/http/"],
    "server/application.h": ["server/base/", "server/http/"],
    "server/metrics.": ["posix"],
    "server/base/file_slice.": ["server/base/", "posix"],
    "server/base/line_writer.": ["server/base/", "posix"],
    "server/base/ip_address.": ["server/base/", "posix"],
    "server/base/heap.": ["server/base/", "malloc", "posix"],
    "server/base/": [],
    "server/http/": ["server/base/"],
    "server/http1/": ["server/base/", "server/http/", "server/options.h", "llhttp"],
    "server/websocket/": [
        "server/base/",
        "server/http/",
        "server/options.h",
        "wslay",
        "openssl",
        "zlib",
    ],
    "server/proxy_protocol/": ["server/base/", "posix"],
    "server/process/": ["posix"],
    "server/net/": ["server/base/", "server/options.h", "libuv", "posix"],
    "server/in_progress.": [],
    "server/session/access_log": ["server/base/", "server/http/", "posix"],
    "server/session/trusted_proxies.": ["server/base/", "posix"],
    # A connection knows no protocol. Exchanges know no version of HTTP. Drivers don't know one
    # another.
    "server/session/connection/": [
        "server/base/",
        "server/net/stream.h",  # the interface, without libuv
        "server/application.h",
        "server/in_progress.h",
        "server/metrics.h",
        "server/options.h",
    ],
    "server/session/exchange/": [
        "server/base/",
        "server/http/",
        "server/websocket/",
        "server/session/connection/driver.h",
        "server/session/connection/transport.h",
        "server/session/session_host.h",
        "server/application.h",
    ],
    "server/session/drivers/http1_": [
        "server/base/",
        "server/http/",
        "server/http1/",
        "server/websocket/handshake.h",
        "server/session/connection/",
        "server/session/drivers/protocols.h",
        "server/session/exchange/",
        "server/session/session_host.h",
    ],
    "server/session/drivers/websocket_": [
        "server/base/",
        "server/websocket/",
        "server/session/connection/transport.h",
        "server/session/drivers/protocols.h",
        "server/session/exchange/",
        "server/session/session_host.h",
    ],
    "server/session/drivers/proxy_": [
        "server/proxy_protocol/",
        "server/session/drivers/opening_step.h",
    ],
    "server/session/drivers/opening_step.": ["server/session/drivers/protocols.h"],
    "server/session/drivers/protocol": [  # protocols.h and protocol_chooser.cpp
        "server/session/connection/",
        "server/session/drivers/opening_step.h",
        "server/session/session_host.h",
    ],
    "server/session/": [
        "server/base/",
        "server/http/",
        "server/websocket/",
        "server/session/connection/connection_host.h",
        "server/metrics.h",
        "server/options.h",
        "server/application.h",
    ],
    "server/heap_trimmer.": ["server/base/", "server/net/"],
    "server/batch.": ["server/net/event_loop.h", "server/session/connection/connection.h"],
    "server/server.": ["server/", "posix"],
    # The two that know the event loop: one joins it to asyncio's, the other owns it.
    "asgi_bridge/loop_bridge.": ["asgi_bridge/", "server/net/event_loop.h", "python"],
    "asgi_bridge/loop_core.": ["asgi_bridge/", "server/net/epoll_waiter.h", "python"],
    "asgi_bridge/loop_turn.": ["asgi_bridge/", "server/net/epoll_waiter.h", "python"],
    "asgi_bridge/asgi_server.": [
        "asgi_bridge/",
        "server/base/",
        "server/metrics.h",
        "server/options.h",
        "server/server.h",
        "server/net/event_loop.h",
        "python",
        "posix",
    ],
    "asgi_bridge/interpreter_end.": ["asgi_bridge/", "python", "posix"],
    "asgi_bridge/module.": [
        "asgi_bridge/",
        "server/base/",
        "server/process/",
        "server/metrics.h",
        "server/options.h",
        "python",
    ],
    "asgi_bridge/": [
        "server/base/",
        "server/http/",
        "server/application.h",
        "server/metrics.h",
        "server/options.h",
        "python",
    ],
    "examples/": [
        "server/base/",
        "server/http/",
        "server/application.h",
        "server/options.h",
        "server/server.h",
        "server/net/event_loop.h",
        "posix",
    ],
}

# What each wing of the package may import of it besides itself, from the ground up. Modules and the
# folder that stand in no wing are what people import: they may use all, and of them the wings use
# those alone that are named here.
PACKAGE = "python/cppasgi"
WINGS: dict[str, list[str]] = {
    "settings/": [],
    "observing/": ["settings/", "_native", "log_handler", "log_text"],
    "serving/": ["settings/", "observing/", "_native", "log_handler"],
    "processes/": ["settings/", "observing/", "serving/", "_native"],
    "command/": ["settings/", "observing/", "serving/", "processes/", "_native"],
    "log_handler.py": ["_native"],
    "log_text.py": [],
}
FOR_PEOPLE = ["management/"]

LIBRARIES = {
    "libuv": r"uv\.h",
    "llhttp": r"llhttp\.h",
    "malloc": r"malloc\.h",
    "openssl": r"openssl/.+",
    "posix": r"(sys|arpa|netinet|net)/\w+\.h|(unistd|fcntl|netdb|poll|pthread|signal)\.h",
    "python": r"(Python|structmember)\.h|pybind11/.+",
    "wslay": r"wslay/.+",
    "zlib": r"zlib\.h",
}
STANDARD = r"[a-z_0-9]+"  # <vector>, <cstddef>: no folder, no suffix

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def allowances(source: str) -> tuple[str, list[str]] | None:
    """Returns the layer of ``source``, a path below the root, and what it may include."""
    for layer, allowed in LAYERS.items():
        if source.startswith(layer):
            return layer, allowed
    return None


def is_allowed(kind: str, header: str, layer: str, allowed: list[str]) -> bool:
    """Says whether a file of ``layer`` may include ``header``; ``kind`` is ``"`` or ``<``."""
    if kind == "<":
        patterns = [LIBRARIES[name] for name in allowed if name in LIBRARIES]
        return any(re.fullmatch(pattern, header) for pattern in [STANDARD, *patterns])
    is_own = header.startswith(layer) and "/" not in header[len(layer) :]
    return is_own or any(
        header.startswith(entry) if entry.endswith("/") else header == entry for entry in allowed
    )


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """What of the package a module imports, each as "wing/module" with its line, names included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            # Either may be the module: "from cppasgi.settings import times", "import Server".
            modules = [f"{start}.{alias.name}" for alias in node.names]
        else:
            continue
        for module in modules:
            name, _, rest = module.partition(".")
            if name in ("cppasgi", ""):  # "" is a relative import
                yield node.lineno, rest.replace(".", "/")


def forbidden_imports(root: Path) -> list[str]:
    """Returns one message for each forbidden import below ``root``."""
    found = []
    for path in sorted((root / PACKAGE).rglob("*.py")):
        source = path.relative_to(root / PACKAGE).as_posix()
        wing = next((wing for wing in WINGS if source.startswith(wing)), None)
        if wing is None:
            if "/" in source and not source.startswith(tuple(FOR_PEOPLE)):
                found.append(f"{PACKAGE}/{source}:1: no wing is known for this file")
            continue
        for number, name in imports(ast.parse(path.read_text())):
            if not f"{name}/".startswith((wing, *WINGS[wing])):
                found.append(f"{PACKAGE}/{source}:{number}: {wing} may not import {name or 'this'}")
    return found


def violations(root: Path) -> list[str]:
    """Returns one message for each forbidden include or import below ``root``."""
    return forbidden_includes(root) + forbidden_imports(root)


def forbidden_includes(root: Path) -> list[str]:
    """Returns one message for each forbidden include below ``root``."""
    found = []
    folders = {layer.split("/")[0] for layer in LAYERS}
    sources = [path for folder in folders for path in (root / folder).rglob("*.[hc]*")]
    for path in sorted(sources):
        if path.suffix not in {".h", ".cpp"}:
            continue
        source = path.relative_to(root).as_posix()
        rule = allowances(source)
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            include = INCLUDE.match(line)
            if not include:
                continue
            if rule is None:
                found.append(f"{source}:{number}: no layer is known for this file")
            elif not is_allowed(*include.groups(), *rule):
                found.append(f"{source}:{number}: {rule[0]} may not include {include[2]}")
    return found


def main() -> int:
    """Checks the tree given as argument, or the one this script stands in."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    found = violations(root)
    print(*found, sep="\n", file=sys.stderr, end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
