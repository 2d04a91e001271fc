"""What surrounds the running site: seeding, settings, Redis or not, and the scripts."""

import asyncio
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from redis import Redis

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "verihome"


@pytest.fixture
def run_python(environment):
    """Run Python in the example's folder; return the finished process."""

    def run(*arguments, **more):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=EXAMPLE,
            env={**environment, **more},
            capture_output=True,
            text=True,
        )

    return run


def test_seeding_is_repeatable_and_prints_the_ids(run_manage, accounts):
    """C4."""
    expected = {name: str(account["user_id"]) for name, account in accounts.items()}
    assert dict(line.split() for line in run_manage("seed_demo").splitlines()) == expected
    assert dict(line.split() for line in run_manage("seed_demo").splitlines()) == expected


def test_migrations_are_complete(run_manage):
    """C4."""
    run_manage("makemigrations", "--check", "--dry-run")


def test_system_checks_pass(run_python):
    """V8."""
    result = run_python("manage.py", "check", "--fail-level", "WARNING")
    assert result.returncode == 0, result.stderr
    deploy = ("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    result = run_python(*deploy, DEBUG="0")
    assert result.returncode == 0, result.stderr
    result = run_python(*deploy, DEBUG="0", SECRET_KEY="short")
    assert "security.W009" in result.stderr


def test_database_uses_a_write_ahead_log(run_python):
    """C2."""
    code = (
        "import django; django.setup(); from django.db import connection;"
        "print(connection.cursor().execute('PRAGMA journal_mode').fetchone()[0])"
    )
    result = run_python("-c", code, DJANGO_SETTINGS_MODULE="verihome.settings")
    assert result.stdout.strip() == "wal"


def test_the_first_app_is_the_server_that_brings_runserver(run_python):
    """C13."""

    def is_app(name):
        return find_spec(name) is not None and find_spec(f"{name}.apps") is not None

    found = [name for name in ("cppasgi", "daphne") if is_app(name)]
    result = run_python("-c", "from verihome.settings import *; print(INSTALLED_APPS[0])")
    assert result.stdout.strip() == (found[0] if found else "django.contrib.admin")


def test_redis_settings(run_python, redis_url):
    """V2, C3."""
    code = "from verihome.settings import *; print(CHANNEL_LAYERS['default'])"
    key = "0123456789" * 5
    result = run_python("-c", code, REDIS_URL=redis_url, SECRET_KEY=key)
    assert "channels_redis.core.RedisChannelLayer" in result.stdout
    for part in (
        f"'hosts': [{{'address': '{redis_url}/4', 'socket_timeout': 20}}]",
        "'capacity': 1500",
        "'expiry': 60",
        "'group_expiry': 86400",
        f"'symmetric_encryption_keys': ['{key[:32]}']",
        "'prefix': 'verihome_channels:'",
    ):
        assert part in result.stdout
    assert result.stderr == ""
    for url in (f"{redis_url}/2", f"{redis_url}?db=3"):
        assert f"'{url}'" in run_python("-c", code, REDIS_URL=url).stdout


def test_sockets_meet_in_database_4_of_redis(redis_sites, redis_url, accounts, handshake):
    """V2."""
    first, _ = redis_sites
    health = httpx.get(f"{first.base}/api/v1/health/").json()
    assert health["channel_layer"] == "RedisChannelLayer"

    async def keys_while_connected():
        token = accounts["alice"]["access_token"]
        async with handshake(first, f"/ws/user-status/?token={token}") as connection:
            await connection.recv()
            with Redis.from_url(redis_url, db=4) as redis:
                return redis.keys("verihome_channels:*user_status*")

    assert asyncio.run(keys_while_connected())


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:1", "redis://:secret@127.0.0.1:1/0", "nonsense", "redis://x:y:z"]
)
def test_without_redis_one_warning_and_the_layer_in_memory(run_python, url):
    """V2, C3."""
    result = run_python("channels_startup_test.py", REDIS_URL=url)
    assert result.returncode == 0, result.stderr
    assert "channels.layers.InMemoryChannelLayer" in result.stdout
    assert len(result.stderr.splitlines()) == 1
    assert "Redis does not answer" in result.stderr
    assert "secret" not in result.stderr


def test_server_starts_without_the_redis_it_was_promised(start_site):
    """V2."""
    with start_site(REDIS_URL="redis://127.0.0.1:1") as site:
        health = httpx.get(f"{site.base}/api/v1/health/").json()
        assert health["channel_layer"] == "InMemoryChannelLayer"
        assert site.log_text().count("Redis does not answer") == 1


def test_channels_startup_test(run_python, redis_url):
    """V8."""
    result = run_python("channels_startup_test.py")
    assert result.returncode == 0, result.stderr
    assert re.search(r"Channels version: +4\.", result.stdout)
    assert "verihome.asgi.application" in result.stdout
    assert "channels.layers.InMemoryChannelLayer" in result.stdout
    assert result.stdout.strip().endswith("success")
    result = run_python("channels_startup_test.py", REDIS_URL=redis_url)
    assert result.returncode == 0, result.stderr
    assert "channels_redis.core.RedisChannelLayer" in result.stdout


def test_websocket_connection_script(run_python, site):
    """V3, V8."""
    script = "test_websocket_connection.py"
    result = run_python(script, "--base", site.base, "--ws", site.ws)
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(re.findall("^ok ", result.stdout, re.MULTILINE)) == 4
    result = run_python(script, "--base", "http://127.0.0.1:1", "--ws", "ws://127.0.0.1:1")
    assert result.returncode == 1
    result = run_python(script, "--base", site.base, "--ws", "ws://127.0.0.1:1")
    assert result.returncode == 1


def test_production_scripts_differ_in_one_word():
    """V5, V8."""
    daphne = (EXAMPLE / "start_production_daphne.sh").read_text()
    cppasgi = (EXAMPLE / "start_production_cppasgi.sh").read_text()
    assert daphne.replace("exec daphne ", "exec cppasgi ") == cppasgi != daphne


def test_production_start(start_script, server_command):
    """V8."""
    if server_command not in (["cppasgi"], ["daphne"]):
        pytest.skip("there are scripts for cppasgi and daphne only")
    options = subprocess.run([*server_command, "--help"], capture_output=True, text=True).stdout
    if "--proxy-headers" not in options:
        pytest.skip("this server has no --proxy-headers, which the script uses")
    with start_script(f"start_production_{server_command[0]}.sh") as site:
        assert httpx.get(f"{site.base}/api/v1/health/").status_code == 200
        # DEBUG is off: no tracebacks for strangers, and nginx has the static files.
        assert "urlpatterns" not in httpx.get(f"{site.base}/nothing").text
        assert httpx.get(f"{site.base}/static/admin/css/base.css").status_code == 404
    assert (EXAMPLE / "staticfiles" / "messaging" / "app.js").is_file()


def test_log_file_names_no_content(api, thread_id, site):
    """V7, M14."""
    marker = "a secret between alice and bob"
    api("alice").post(f"threads/{thread_id}/messages/", {"content": marker})
    assert "messaging" in (EXAMPLE / "logs" / "verihome.log").read_text()
    for log in (EXAMPLE / "logs" / "verihome.log", site.log):
        assert marker not in log.read_text()


def test_shell_scripts_are_valid():
    """V8."""
    for script in EXAMPLE.glob("*.sh"):
        assert subprocess.run(["bash", "-n", script]).returncode == 0
