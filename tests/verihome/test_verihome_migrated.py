"""VeriHome's start script for Daphne after `cppasgi migrate --write`, behind nginx."""

import asyncio
import json
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import websockets
from nginx import nginx_running
from ports import free_port

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "verihome"
TIMEOUT = 10

BROWSER = "127.0.0.9"  # another loopback address than that of nginx's connections


@pytest.fixture
def open_folder():
    """A folder whose files nginx's workers may read, who are nobody when root started it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def migrated(open_folder, server_command):
    """A copy of the example whose start script for Daphne was migrated."""
    if server_command != ["cppasgi"]:
        pytest.skip("the migrated script starts cppasgi")
    ignore = shutil.ignore_patterns("db.*", "logs", "staticfiles")
    project = shutil.copytree(EXAMPLE, open_folder / "verihome", ignore=ignore)
    command = ["cppasgi", "migrate", "--write", project / "start_production_daphne.sh"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return project


@contextmanager
def nginx_as_in_the_readme(project, server_port, folder):
    """nginx with the locations of the example's README, but for ports and paths; yields its URL."""
    text = (project / "README.md").read_text()
    locations = re.search(r"```nginx\n(.*?)```", text, re.DOTALL)[1]
    for written, here in (
        ("http://127.0.0.1:8000", f"http://127.0.0.1:{server_port}"),
        ("/srv/verihome/", f"{project}/"),
    ):
        assert written in locations
        locations = locations.replace(written, here)
    port = free_port()
    folder.mkdir()
    with nginx_running(folder, f"server {{ listen 127.0.0.1:{port};\n{locations} }}", port):
        yield f"http://127.0.0.1:{port}"


def test_the_script_differs_in_exactly_one_word(migrated):
    """V5."""
    before = (EXAMPLE / "start_production_daphne.sh").read_text()
    after = (migrated / "start_production_daphne.sh").read_text()
    words = list(zip(re.split(r"(\s+)", before), re.split(r"(\s+)", after), strict=True))
    assert [pair for pair in words if pair[0] != pair[1]] == [("daphne", "cppasgi")]
    assert (migrated / "start_production_daphne.sh.daphne").read_text() == before


def test_the_script_works_behind_nginx(migrated, start_script, tmp_path):
    """V5."""
    with (
        start_script("start_production_daphne.sh", migrated) as site,
        nginx_as_in_the_readme(migrated, site.port, tmp_path / "nginx") as url,
        httpx.Client(
            base_url=url, transport=httpx.HTTPTransport(local_address=BROWSER), timeout=TIMEOUT
        ) as client,
    ):
        assert "cppasgi" in Path(f"/proc/{site.process.pid}/cmdline").read_text()
        script = client.get("/static/messaging/app.js")
        source = migrated / "messaging/static/messaging/app.js"
        assert script.content == source.read_bytes()
        assert script.headers["server"].startswith("nginx")

        body = {"username": "alice", "password": "demo-pass"}
        login = client.post("/api/v1/auth/login/", json=body)
        assert login.status_code == 200
        asyncio.run(greet(url, login.json()["access_token"]))
        # The access log has the browser's address, which only nginx knew.
        for said in ("POST /api/v1/auth/login/", "WSCONNECTING /ws/messaging/"):
            line = rf'^{re.escape(BROWSER)}:0 - - \[[^]]+\] "{said}" '
            assert re.search(line, site.log_text(), re.MULTILINE), site.log_text()


async def greet(url, token):
    """Opens a WebSocket through nginx, is greeted, and gets an answer."""
    address = f"{url.replace('http', 'ws', 1)}/ws/messaging/?token={token}"
    async with websockets.connect(address, origin=url, local_addr=(BROWSER, 0)) as connection:
        greeting = json.loads(await asyncio.wait_for(connection.recv(), TIMEOUT))
        assert greeting["type"] == "connection_established"
        await connection.send(json.dumps({"type": "ping", "timestamp": "now"}))
        while (answer := await asyncio.wait_for(connection.recv(), TIMEOUT)) is not None:
            if json.loads(answer)["type"] == "pong":  # and no status update, say
                break
