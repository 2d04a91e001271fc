"""`cppasgi migrate`: what it changes in files that start Daphne, and what it leaves alone."""

import stat
import subprocess
from pathlib import Path

import pytest

VERIHOME = Path(__file__).resolve().parents[2] / "examples" / "verihome"

CHANGED = [
    'exec daphne -b 0.0.0.0 -p "${PORT:-8000}" --proxy-headers site.asgi:application',
    "ExecStart=/srv/venv/bin/daphne -u /run/site.sock site.asgi:application",
    "ExecStart=-/srv/venv/bin/daphne \\",
    "command = daphne --fd 0 -e unix:/run/site.sock site.asgi:application",
    "web: daphne -p $PORT site.asgi:application",
    "    command: python -m daphne -b 0.0.0.0 site.asgi:application",
    'CMD ["daphne", "-b", "0.0.0.0", "site.asgi:application"]',
    "CMD daphne -b 0.0.0.0 site.asgi:application",
    "CMD python manage.py migrate && daphne site.asgi:application",
    "DJANGO_SETTINGS_MODULE=site.settings daphne site.asgi:application",
    "if [ -z $DEBUG ]; then daphne site.asgi:application; fi",
    "cd /srv/site && exec nohup daphne site.asgi:application &",
    "poetry run daphne site.asgi:application",
    'INSTALLED_APPS = ["daphne", "django.contrib.admin"]',
    "    'daphne',",
]
LEFT = [
    "# daphne -p 8000 site.asgi:application",
    "Description=daphne for the site",
    "User=daphne",
    "After=daphne.service redis.service",
    "WorkingDirectory=/srv/daphne",
    "stdout_logfile=/var/log/daphne.log",
    "[program:daphne]",
    "RUN pip install daphne channels",
    "systemctl restart daphne",
    'echo "daphne is up"',
    "exec uvicorn site.asgi:application",
    'import "daphne-ui"',
]


def run(server_command: list[str], *args: object) -> "subprocess.CompletedProcess[str]":
    command = [*server_command, "migrate", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True)


def test_changes_the_word_where_it_is_a_command_and_nowhere_else(
    server_command: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "start"
    mode = 0o750
    for newline in ("\n", "\r\n"):
        text = newline.join([*CHANGED, *LEFT]) + newline
        file.write_text(text, newline="")
        file.chmod(mode)
        result = run(server_command, "--write", file)
        assert result.returncode == 0, result.stderr
        changed = [line.replace("daphne", "cppasgi") for line in CHANGED]
        assert file.read_bytes().decode() == newline.join([*changed, *LEFT]) + newline
        assert stat.S_IMODE(file.stat().st_mode) == mode
        backup = file.with_name("start.daphne")
        assert backup.read_bytes().decode() == text
        assert stat.S_IMODE(backup.stat().st_mode) == mode
        backup.unlink()
        # What is left is shown, but for comments.
        shown = [line for line in LEFT if "daphne" in line and not line.startswith("#")]
        for line in shown[:-1]:  # "daphne-ui" is another word
            assert f": left as it is: {line}\n" in result.stderr


def test_the_start_script_of_the_example_differs_in_one_word(
    server_command: list[str], tmp_path: Path
) -> None:
    script = tmp_path / "start_production_daphne.sh"
    script.write_bytes((VERIHOME / script.name).read_bytes())
    result = run(server_command, script)
    lines = result.stdout.splitlines()
    removed = [line[1:] for line in lines if line.startswith("-") and not line.startswith("---")]
    added = [line[1:] for line in lines if line.startswith("+") and not line.startswith("+++")]
    assert len(removed) == 1
    assert added == [removed[0].replace("daphne", "cppasgi")]
    assert script.read_bytes() == (VERIHOME / script.name).read_bytes()  # shown, not done
    run(server_command, "--write", script)
    assert script.read_bytes() == (VERIHOME / "start_production_cppasgi.sh").read_bytes()


def test_a_backup_is_never_overwritten(server_command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "Procfile"
    file.write_text("web: daphne a:b")
    file.with_name("Procfile.daphne").write_text("mine")
    result = run(server_command, "--write", file)
    assert result.returncode == 1
    assert "Procfile.daphne exists already" in result.stderr
    assert file.read_text() == "web: daphne a:b"
    assert file.with_name("Procfile.daphne").read_text() == "mine"


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("daphne -e ssl:443:privateKey=key.pem a:b", "ssl endpoints are not supported yet"),
        ("daphne --endpoint='tls:443' a:b", "tls endpoints are not supported yet"),
        ('["daphne", "-e", "haproxy:tcp\\:80", "a:b"]', "haproxy endpoints are not supported yet"),
        ("daphne --proxy-headers a:b", "proxies on other machines are believed only if"),
        ("daphne --proxy-headers-host X --forwarded-allow-ips '*' --proxy-headers a:b", None),
        ("daphne -e tcp:80 a:b  # not tls: yet", None),
        ("daphne -p 80 a:b", None),
    ],
)
def test_what_is_not_carried_over_is_named(
    server_command: list[str], tmp_path: Path, line: str, note: str | None
) -> None:
    file = tmp_path / "start.sh"
    file.write_text(f"# daphne -e ssl:443\n{line}\n")
    result = run(server_command, file)
    assert result.returncode == 0
    if note is None:
        assert "not carried over" not in result.stderr
    else:
        assert f"start.sh:2: not carried over: {note}" in result.stderr


def test_a_second_run_finds_nothing(server_command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "Procfile"
    file.write_text("web: daphne a:b")
    diff = run(server_command, "--write", file).stdout
    assert diff.endswith("+web: cppasgi a:b\n\\ No newline at end of file\n")
    result = run(server_command, "--write", file)
    assert (result.returncode, result.stdout) == (0, "")
    assert "nothing starts Daphne here" in result.stderr


@pytest.mark.parametrize(
    ("args", "status", "text"),
    [
        ([], 2, "the following arguments are required: FILE"),
        (["--wrong", "x"], 2, "unrecognized arguments: --wrong"),
        (["absent"], 1, "cppasgi migrate: absent: No such file or directory\n"),
        (["binary"], 1, "cppasgi migrate: binary: 'utf-8' codec can't decode"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    server_command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: list[str],
    status: int,
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("binary").write_bytes(b"\xff daphne")
    result = run(server_command, *args)
    assert result.returncode == status
    assert text in result.stderr
    assert "Traceback" not in result.stderr
