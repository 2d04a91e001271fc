"""`manage.py runserver` with Daphne and with cppasgi: banner, colours, checks, ports, --noasgi.

Daphne's command runs on Daphne, and what it prints is what cppasgi's must print.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from django_site import SETTINGS, URLS, write_site
from ports import free_port
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

SHIM = Path(__file__).resolve().parents[2] / "python" / "daphne_shim"
START_SECONDS = 30
STATUSES = (200, 302, 304, 400, 404, 500)
VIEWS = """
urlpatterns = [path("", lambda request: HttpResponse("hello"))]
urlpatterns += [
    path(f"{status}/", lambda request, status=status: HttpResponse(status=status))
    for status in (200, 302, 304, 400, 404, 500)
]
"""


class Runserver:
    """A running command; standard output and error are one file."""

    def __init__(self, project: Path, arguments: list[str], path: Path | None) -> None:
        self.log = project / "log"
        self.port = free_port()
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                command(str(self.port), *arguments),
                cwd=project,
                env=environment(path),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def text(self) -> str:
        """What was printed, with words where the port, times and versions stand."""
        text = self.log.read_text(errors="replace").replace(str(self.port), "PORT")
        text = re.sub(r"127.0.0.1:\d+", "CLIENT", text)
        text = re.sub(r"\[\d\.\d\d, ", "[SECONDS, ", text)
        text = re.sub(r"^\w+ \d\d, \d{4} - \d\d:\d\d:\d\d$", "NOW", text, flags=re.MULTILINE)
        return re.sub(r"ASGI/\w+ version \S+", "ASGI/SERVER version", text)

    def wait_for(self, text: str) -> None:
        end = time.monotonic() + START_SECONDS
        while text not in self.text():
            assert self.process.poll() is None, f"runserver ended: {self.text()}"
            assert time.monotonic() < end, f"no {text!r}: {self.text()}"
            time.sleep(0.02)


def command(*arguments: str) -> list[str]:
    # DJANGO_SETTINGS_MODULE, and not --settings, as with manage.py.
    return [sys.executable, "-m", "django", "runserver", "--noreload", *arguments]


def environment(path: Path | None) -> dict[str, str]:
    folders = [str(folder) for folder in (path, Path()) if folder is not None]
    more = {
        "DJANGO_SETTINGS_MODULE": "site_under_test.settings",
        "PYTHONPATH": os.pathsep.join(folders),
        "PYTHONUNBUFFERED": "1",
    }
    return {**os.environ, **more}


def site(folder: Path, *apps: str) -> Path:
    """A project with these applications before its own."""
    listed = ", ".join(f'"{app}"' for app in apps)
    settings = f"{SETTINGS}\nINSTALLED_APPS = [{listed}, *INSTALLED_APPS]\n"
    urls = URLS[: URLS.index("urlpatterns")] + VIEWS
    folder.mkdir()
    return write_site(folder, {"settings.py": settings, "urls.py": urls})


@pytest.fixture
def runserver(tmp_path: Path) -> Iterator[Callable[..., Runserver]]:
    """Starts `runserver` with the application `cppasgi`, or another, in a project of its own."""
    started: list[Runserver] = []

    def start(*arguments: str, app: str = "cppasgi", path: Path | None = None) -> Runserver:
        project = site(tmp_path / f"site{len(started)}", app)
        started.append(Runserver(project, list(arguments), path))
        return started[-1]

    yield start
    for one in started:
        one.process.terminate()
    for one in started:
        one.process.wait(20)


def visit(server: Runserver) -> str:
    """Requests a page of each status and opens a WebSocket; returns what was printed."""
    server.wait_for("Quit the server with CONTROL-C.")
    for status in STATUSES:
        response = httpx.get(f"http://127.0.0.1:{server.port}/{status}/")
        assert response.status_code == status
        server.wait_for(f"/{status}/ {status} [")
    with connect(f"ws://127.0.0.1:{server.port}/ws/") as client:
        client.send("hello")
        assert client.recv(10) == "hello back"
    server.wait_for("WebSocket DISCONNECT /ws/ [CLIENT]")
    return server.text()


@pytest.mark.parametrize("flag", ["--force-color", "--no-color"])
def test_banner_lines_and_colours_are_daphnes(
    runserver: Callable[..., Runserver], daphne_site: Path, flag: str
) -> None:
    servers = [runserver(flag, app="daphne", path=daphne_site), runserver(flag)]
    daphne, cppasgi = (visit(server) for server in servers)
    # Daphne starts its server after the banner, and says so.
    own = r"^(HTTP/2 support|Configuring endpoint|Listening on) .*\n"
    assert re.sub(own, "", cppasgi, flags=re.M) == re.sub(own, "", daphne, flags=re.M)
    assert ("\x1b[" in cppasgi) == (flag == "--force-color")


@pytest.mark.parametrize(("app", "path"), [("cppasgi", None), ("daphne", SHIM)])
def test_noasgi_is_djangos_own_server(
    runserver: Callable[..., Runserver], app: str, path: Path | None
) -> None:
    server = runserver("--noasgi", app=app, path=path)
    # Django 6.1 says "WSGI" before it.
    server.wait_for("development server at http://127.0.0.1:PORT/")
    assert "Starting ASGI" not in server.text()
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:  # the banner comes before the socket
        try:
            response = httpx.get(f"http://127.0.0.1:{server.port}/")
            break
        except httpx.ConnectError:
            time.sleep(0.05)
    assert response.text == "hello"
    assert response.headers["server"].startswith("WSGIServer/")
    with pytest.raises(InvalidStatus) as refusal:
        connect(f"ws://127.0.0.1:{server.port}/ws/")
    assert refusal.value.response.status_code == 404
    server.wait_for('"GET / HTTP/1.1" 200 5')


@pytest.mark.parametrize("reload", [False, True])
def test_port_that_is_taken_ends_it_with_status_1(tmp_path: Path, reload: bool) -> None:
    project = site(tmp_path / "site", "cppasgi")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = [word for word in command(str(port)) if not (reload and word == "--noreload")]
        result = subprocess.run(
            arguments, cwd=project, env=environment(None), capture_output=True, text=True
        )
    assert result.returncode == 1
    message = "Listen failure: Couldn't listen on 127.0.0.1:"
    assert result.stderr.splitlines()[-1].startswith(f"{message}{port}: ")
    assert "Address already in use" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Quit the server" not in result.stdout


def test_missing_setting_is_one_line(tmp_path: Path) -> None:
    project = site(tmp_path / "site", "cppasgi")
    with (project / "site_under_test" / "settings.py").open("a") as settings:
        settings.write("del ASGI_APPLICATION\n")
    result = subprocess.run(
        command("0"), cwd=project, env=environment(None), capture_output=True, text=True
    )
    assert result.returncode == 1
    text = "You have not set ASGI_APPLICATION, which is needed to run the server."
    assert result.stderr == f"CommandError: {text}\n"


@pytest.mark.parametrize("app", ["daphne", "cppasgi"])
def test_check_of_the_order(tmp_path: Path, daphne_site: Path, app: str) -> None:
    path = daphne_site if app == "daphne" else None
    results = []
    for name, apps in (("good", (app,)), ("bad", ("django.contrib.staticfiles", app))):
        project = site(tmp_path / name, *apps)
        settings = project / "site_under_test" / "settings.py"
        listed = "INSTALLED_APPS = list(dict.fromkeys(INSTALLED_APPS))\n"
        settings.write_text(settings.read_text() + listed)
        results.append(
            subprocess.run(
                [sys.executable, "-m", "django", "check"],
                cwd=project,
                env=environment(path),
                capture_output=True,
                text=True,
            )
        )
    good, bad = results
    assert (good.returncode, bad.returncode) == (0, 1), good.stderr + bad.stderr
    text = f"{app} must be listed before django.contrib.staticfiles in INSTALLED_APPS."
    found = [line for line in bad.stderr.lower().splitlines() if ".e001" in line]
    # Daphne registers its check twice.
    assert set(found) == {f"?: ({app}.e001) {text.lower()}"}
