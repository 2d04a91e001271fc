"""FastAPI's and Starlette's responses of files, alone and behind middleware."""

from __future__ import annotations

import gzip
import importlib
import sys
from pathlib import Path

import pytest
from conftest import StartServer
from server_process import HERE

pytest.importorskip("fastapi", reason="fastapi isn't installed")
pytest.importorskip("brotli_asgi", reason="brotli-asgi isn't installed")
pytest.importorskip("zstd_asgi", reason="zstd-asgi isn't installed")

CONTENT = Path(HERE, "apps", "http_paths.py").read_bytes()
TARGETS = ["/file", "/static/http_paths.py"]


def decoded(content: bytes, coding: str | None) -> bytes:
    if coding == "gzip":
        return gzip.decompress(content)
    if coding == "br":
        return bytes(importlib.import_module("brotli").decompress(content))
    if coding == "zstd":
        zstd = importlib.import_module(
            "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
        )
        return bytes(zstd.decompress(content))
    assert coding is None
    return content


@pytest.mark.parametrize(
    ("app", "coding"),
    [("plain", None), ("gzip", "gzip"), ("brotli", "br"), ("zstd", "zstd"), ("summed", None)],
)
def test_files_behind_middleware(server: StartServer, app: str, coding: str | None) -> None:
    process = server(f"apps.files_fastapi:{app}")
    with process.connect() as wire:
        for target in TARGETS:
            response = wire.get(target, "Accept-Encoding: gzip, br, zstd")
            assert (response.status, response.header("content-encoding")) == (200, coding)
            assert decoded(response.body, coding) == CONTENT
            if app == "summed":
                assert response.header("x-sum") == str(sum(CONTENT))
    assert "Traceback" not in process.log()


@pytest.mark.parametrize("target", TARGETS)
def test_files_sent_by_the_kernel(server: StartServer, target: str) -> None:
    process = server("apps.files_fastapi:plain", "--sendfile")
    with process.connect() as wire:
        assert wire.get(target).body == CONTENT
        part = wire.get(target, "Range: bytes=10-19")
        assert (part.status, part.body) == (206, CONTENT[10:20])
        if target != "/file":  # FastAPI answers HEAD only where it is asked to
            assert wire.get(target, method="HEAD").header("content-length") == str(len(CONTENT))
