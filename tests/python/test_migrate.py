"""`cppasgi migrate`: what it changes in files that start Daphne, and what it leaves alone."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.python_side

VERIHOME = Path(__file__).resolve().parents[2] / "examples" / "verihome"

BROKEN = {
    "yaml": "command: 'daphne -b :: a:b",
    "json": '{"start": "daphne -b :: a:b",',
    "toml": 'start = "daphne -b :: a:b',
    "ini": "command=daphne a:b\n[program:x]",
    "py": "INSTALLED_APPS = ['daphne'",
}
REASONS = [
    ("compose.yaml", "services: {web: {hostname: daphne}}", "services.web.hostname, not a command"),
    ("compose.yaml", "services: {daphne: {image: x}}", "the key services.daphne, not a command"),
    ("compose.yaml", "command: daphne", "alone, without an application"),
    ("playbook.yml", "- service: {name: daphne}", "the value of [].service.name, not a command"),
    ("Dockerfile", "USER daphne", "an argument of USER, not a command"),
    ("Dockerfile", "RUN pip install daphne", "an argument of pip, not a command"),
    ("site.service", "[Service]\nUser=daphne", "the value of User, not a command"),
    ("site.conf", "[program:daphne]", "the name of a section"),
    ("requirements.txt", "daphne>=4", "a requirement"),
    ("requirements.in", "daphne", "a requirement"),
    ("start.sh", "# daphne -b :: a:b", "a comment"),
    ("start.sh", "echo daphne -b :: a:b", "an argument of echo, not a command"),
    ("start.sh", "daphne is a:nymph; daphne is one", "without an option or an application"),
    ("start.sh", "case $1 in daphne) ;; esac", "a pattern of a case"),
    ("start.sh", "SERVER=daphne", "the value of SERVER, which no command here runs"),
    ("Makefile", "DAPHNE ?= daphne\nx:\n\t@$(DAPHNE) -p 80 a:b", "the name of a variable"),
    ("start.sh", "DAPHNE=daphne; $DAPHNE -p 80 a:b", "the name of a variable"),
    ("settings.py", "import daphne", "an import"),
    ("settings.py", "DATABASE = {'USER': 'daphne'}", "a string that isn't in INSTALLED_APPS"),
    ("README.md", "daphne -b :: a:b", "not a kind of file that starts a server"),
    ("METADATA", "daphne -b :: a:b", "not a kind of file that starts a server"),
]


def run(server_command: list[str], *args: object) -> "subprocess.CompletedProcess[str]":
    command = [*server_command, "migrate", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize(("name", "text", "reason"), REASONS)
def test_what_is_left_is_listed_with_its_reason(
    server_command: list[str], tmp_path: Path, name: str, text: str, reason: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    result = run(server_command, file)
    assert result.returncode == 0
    left, *_ = [line for line in result.stderr.split("\n") if ": left as it is (" in line]
    assert reason in left
    number = int(left.removeprefix(f"{file}:").split(":")[0])
    assert "daphne" in text.split("\n")[number - 1].lower()


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
        ("daphne -e haproxy:tcp:80 a:b", None),
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


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("k.yaml", "livenessProbe:\n  exec:\n    command: [pgrep, daphne]", 3),
        ("k.yaml", "command:\n- pgrep\n- -u\n- daphne\n- -f\n- daphne", 6),
        ("k.yaml", "preStop: {exec: {command: [sh, -c, pkill -TERM daphne]}}", 1),
        ("Dockerfile", "FROM x\nHEALTHCHECK CMD pgrep -x daphne", 2),
        ("s.service", "[Service]\nExecStop=/bin/pkill daphne", 2),
        ("a.sh", "kill $(pidof -x daphne)", 1),
        ("a.sh", "sudo killall -9 daphne", 1),
        ("a.sh", "start-stop-daemon --stop --name daphne", 1),
        ("a.sh", "daphne a:b &\nps aux | grep [d]aphne", 2),
        ("tox.ini", "[testenv]\nallowlist_externals =\n  daphne", 3),
        ("a.sh", "pkill -u daphne python", None),
        ("a.sh", "ps aux; grep daphne /etc/passwd", None),
        ("a.sh", "echo pkill daphne", None),
        ("tox.ini", "[testenv]\ndeps = daphne", None),
    ],
)
def test_what_knows_the_process_by_its_name_is_not_carried_over(
    server_command: list[str], tmp_path: Path, name: str, text: str, line: int | None
) -> None:
    file = tmp_path / name
    file.write_text(text)
    said = run(server_command, file).stderr
    noted = [part.split(":")[1] for part in said.split("\n") if ": not carried over: " in part]
    assert noted == ([] if line is None else [str(line)])
    assert "the command is cppasgi now" in said or line is None


def test_owner_mode_and_links_stay_and_undo_brings_the_file_back(
    server_command: list[str], tmp_path: Path
) -> None:
    real = tmp_path / "real"
    real.mkdir()
    file = real / "site.service"
    text = b"[Service]\r\nExecStart=/v/bin/daphne a:b\r\nUser=daphne"
    file.write_bytes(text)
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 12, 34)
    os.utime(file, (1000, 2000))
    other_name = tmp_path / "hard"
    other_name.hardlink_to(file)
    link = tmp_path / "link.service"
    link.symlink_to("real/site.service")
    before = file.stat()

    result = run(server_command, "--write", link)
    assert result.returncode == 0, result.stderr
    backup = real / "site.service.daphne"
    assert f"{link} leads: changed; the old file is {backup}\n" in result.stderr
    assert link.is_symlink()
    assert other_name.read_bytes() == text.replace(b"bin/daphne", b"bin/cppasgi")
    for path in (file, backup):
        assert path.stat()[:6:5] == before[:6:5]  # mode, group
        assert path.stat().st_uid == before.st_uid
    assert file.stat().st_ino == before.st_ino
    assert backup.read_bytes() == text
    assert stat.S_IMODE(backup.stat().st_mode) == 0o640

    assert run(server_command, "--undo", link).returncode == 0
    assert link.is_symlink()
    assert other_name.read_bytes() == text
    after = file.stat()
    assert (after.st_mode, after.st_uid, after.st_gid, after.st_ino, after.st_mtime) == (
        (before.st_mode, before.st_uid, before.st_gid, before.st_ino, 2000)
    )
    assert not backup.exists()


UNDOABLE = b'FROM x\nCMD ["daphne", "x:y"]\nUSER daphne\n'
MIGRATED = UNDOABLE.replace(b'["daphne', b'["cppasgi')


@pytest.mark.parametrize(
    ("text", "backup"),
    [
        (b'FROM x\nCMD ["gunicorn", "x:y"]\n', UNDOABLE),
        (UNDOABLE, UNDOABLE),
        (MIGRATED + b"EXPOSE 80\n", UNDOABLE),
        (MIGRATED.replace(b"USER daphne", b"USER cppasgi"), UNDOABLE),
        (MIGRATED, UNDOABLE + b"EXPOSE 80\n"),
        (MIGRATED.decode().encode("utf-8-sig"), UNDOABLE),
        (MIGRATED, b"\x7fELF\0"),
        (MIGRATED, b""),
    ],
)
def test_undo_replaces_and_removes_nothing_but_what_write_made(
    server_command: list[str], tmp_path: Path, text: bytes, backup: bytes
) -> None:
    file, kept = tmp_path / "Dockerfile", tmp_path / "Dockerfile.daphne"
    file.write_bytes(text)
    kept.write_bytes(backup)
    result = run(server_command, "--undo", file)
    assert result.returncode == 1
    assert f"cppasgi migrate: {file}: is" in result.stderr
    assert (file.read_bytes(), kept.read_bytes()) == (text, backup)


def test_undo_of_all_files_passes_over_those_that_were_not_changed(
    server_command: list[str], tmp_path: Path
) -> None:
    changed, unchanged = tmp_path / "Procfile", tmp_path / "main.tf"
    changed.write_text("web: daphne a:b")
    unchanged.write_text("# Nothing starts here.")
    run(server_command, "--write", changed, unchanged)
    result = run(server_command, "--undo", changed, unchanged)
    assert result.returncode == 0
    assert f"{unchanged}: nothing to undo, for there is no {unchanged}.daphne\n" in result.stderr
    assert changed.read_text() == "web: daphne a:b"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_a_file_keeps_its_encoding(
    server_command: list[str], tmp_path: Path, encoding: str
) -> None:
    file = tmp_path / "Procfile"
    file.write_bytes("web: daphne a:b\r\n# é".encode(encoding))
    assert run(server_command, "--write", file).returncode == 0
    assert file.read_bytes() == "web: cppasgi a:b\r\n# é".encode(encoding)
    assert run(server_command, "--undo", file).returncode == 0
    assert file.read_bytes() == "web: daphne a:b\r\n# é".encode(encoding)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.py", "# -*- coding: latin-1 -*-\n# é\nX = 'é'\nINSTALLED_APPS = ['daphne']"),
        ("c.yaml", "# é\nx: é\ncommand: daphne -p 80 a:b"),
        ("p.json", '{"x": "é", "scripts": {"a": "daphne -p 80 a:b"}}'),
        ("p.toml", "# é\n[tool.pdm.scripts]\na = 'daphne -p 80 a:b -s é'"),
        ("s.conf", "; é\n[program:x]\ncommand=daphne -p 80 a:b -s é"),
        ("s.service", "# é\n[Service]\nExecStart=/v/daphne -p 80 a:b -s é"),
        ("Dockerfile", '# é\nCMD ["daphne", "-s", "é", "a:b"]'),
        ("Makefile", "# é\nx:\n\tdaphne -s é a:b"),
        ("x.sh", "# é\ndaphne -s é a:b"),
    ],
)
def test_files_of_every_kind_may_be_in_latin_1(
    server_command: list[str], tmp_path: Path, name: str, text: str
) -> None:
    file = tmp_path / name
    file.write_bytes(text.encode("latin-1"))
    result = run(server_command, "--write", file)
    assert result.returncode == 0, result.stderr
    assert file.read_bytes() == text.replace("daphne", "cppasgi").encode("latin-1")


def test_yaml_without_a_parser_is_named(server_command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("command: daphne -p 80 a:b")
    for name in ("yaml", "ruamel"):
        (tmp_path / f"{name}.py").write_text("raise ImportError")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [*server_command, "migrate", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 1
    assert "compose.yaml: is YAML; to read it, pip install pyyaml\n" in result.stderr
    (tmp_path / "ruamel.py").unlink()
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.stdout.endswith("+command: cppasgi -p 80 a:b\n\\ No newline at end of file\n")


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
        (["."], 1, "cppasgi migrate: .: is no regular file\n"),
        (["binary"], 1, "cppasgi migrate: binary: is a binary file\n"),
        (["huge"], 1, "cppasgi migrate: huge: is larger than 1 MiB\n"),
        (["fifo"], 1, "cppasgi migrate: fifo: is no regular file\n"),
        (["loop"], 1, "cppasgi migrate: loop: "),
        (["deep.json"], 1, "cppasgi migrate: deep.json: is nested too deeply\n"),
        (["deep.yaml"], 1, "cppasgi migrate: deep.yaml: is nested too deeply\n"),
        (["broken.yaml"], 1, "cppasgi migrate: broken.yaml: is no YAML: "),
        (["broken.json"], 1, "cppasgi migrate: broken.json: is no JSON: "),
        (["broken.toml"], 1, "cppasgi migrate: broken.toml: is no TOML: "),
        (["broken.ini"], 1, "cppasgi migrate: broken.ini: is no INI file: "),
        (["broken.py"], 1, "cppasgi migrate: broken.py: is no Python: "),
        (["--undo", "absent"], 1, "cppasgi migrate: absent: No such file or directory\n"),
        (["--undo", "--write", "x"], 2, "not allowed with argument"),
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
    Path("binary").write_bytes(b"\x7fELF\0 daphne")
    Path("huge").write_text("daphne -b :: a:b\n" * 70_000)
    os.mkfifo("fifo")
    Path("loop").symlink_to("loop")
    Path("deep.json").write_text("[" * 200_000 + '"daphne"')
    Path("deep.yaml").write_text("[" * 20_000 + "daphne")
    for suffix, broken in BROKEN.items():
        Path(f"broken.{suffix}").write_text(broken)
    result = run(server_command, *args)
    assert result.returncode == status
    assert text in result.stderr
    assert "Traceback" not in result.stderr


def test_a_broken_file_keeps_none_from_its_change(
    server_command: list[str], tmp_path: Path
) -> None:
    broken = tmp_path / "compose.yaml"
    broken.write_text(BROKEN["yaml"])
    file = tmp_path / "Procfile"
    file.write_text("web: daphne a:b")
    result = run(server_command, "--write", broken, file)
    assert result.returncode == 1
    assert f"{broken}: is no YAML: " in result.stderr
    assert broken.read_text() == BROKEN["yaml"]
    assert file.read_text() == "web: cppasgi a:b"
