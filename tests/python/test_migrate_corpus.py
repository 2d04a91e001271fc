"""`cppasgi migrate` over tests/data/migrate: files as projects have them, in many shapes.

`before` holds the files, `after` what is to become of them; one that isn't in `after` is to stay.
"""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.python_side

CORPUS = Path(__file__).resolve().parents[1] / "data" / "migrate"
NAMES = sorted(
    str(path.relative_to(CORPUS / "before"))
    for path in (CORPUS / "before").rglob("*")
    if path.is_file()
)

RUNUSERS = ["-l daphne", "daphne", "- daphne", "-g daphne daphne", "-s /bin/sh daphne"]
AWKWARD = [
    ("start", "#!/usr/bin/env node\ndaphne -p 80 a:b"),
    ("NOTES", "Options\n[all]\ndaphne -p 80 a:b"),
    ("run", "#!/usr/bin/with-contenv bash\ns6-setuidgid daphne «daphne» -p 80 a:b"),
    ("INSTALL", "Start it:\n\n    daphne -p 80 a:b\n"),
    ("entrypoint", "exec «daphne» -p 80 a:b"),
    ("a.sh", "$VENV/bin/gunicorn -u /run/daphne/daphne -b a:b"),
    ("a.sh", "python /srv/daphne a:b; $PYTHON -u /srv/bin/«daphne» a:b"),
    ("a.sh", "$VENV/bin/python -m «daphne» a:b; $VENV/python3.12 bin/«daphne» -p 80 a:b"),
    ("a.sh", "sudo -iu daphne «daphne» -p 80 a:b"),
    ("a.sh", "sudo --unheard daphne daphne -p 80 a:b"),
    ("a.sh", "docker exec -itu daphne web «daphne» -p 8 a:b"),
    ("a.sh", "psql -U daphne -c 'CREATE USER daphne'"),
    ("a.sh", "su daphne -c 'daphne'"),
    ("a.sh", "su daphne -c '«daphne» a:b'"),
    *(("a.sh", f"runuser {user} -c '«daphne» a:b'") for user in RUNUSERS),
    ("a.sh", "runuser -u daphne -- «daphne» a:b; runuser --user=daphne «daphne» a:b"),
    ("a.sh", "runuser -udaphne -g daphne «daphne» a:b"),
    ("x.service", "[Service]\nExecStart=runuser -l daphne -c '«daphne» a:b'"),
    ("c.yaml", "command: runuser daphne -c '«daphne» a:b'"),
    ("c.yaml", "command: [runuser, '-', daphne, -c, '«daphne» a:b']"),
    ("a.sh", "daemon --user daphne --pidfile x «daphne» a:b; daemon -u daphne -- «daphne» a:b"),
    ("a.sh", "setpriv --ruid daphne --euid daphne «daphne» a:b; ionice -u daphne -p 3"),
    ("a.sh", "systemd-run -M daphne --uid daphne «daphne» a:b; sudo -U daphne -l"),
    ("a.sh", "npx -p daphne -- «daphne» a:b; xvfb-run -f daphne -n 3 «daphne» a:b"),
    ("a.sh", "python -m«daphne» -p 80 a:b; $PYTHON -um«daphne» a:b; python -c daphne -p 80"),
    ("Procfile", "web: python3 -m«daphne» a:b"),
    ("x.service", "[Service]\nExecStart=@/v/«daphne» daphne -p 80 a:b"),
    ("x.service", "[Service]\nExecStart=-@/v/sh daphne -c 'exec «daphne» -p 80 a:b'"),
    ("Dockerfile", "FROM x\nRUN a && \\\n\n  «daphne» -p 80 a:b"),
    ("a.sh", "docker run daphne -b 0.0.0.0 a:b"),
    ("a.sh", "nice -n10 «daphne» a:b"),
    ("a.sh", "createuser daphne; adduser --system daphne; id daphne"),
    ("a.sh", "«daphne» a:b -p 80"),
    ("a.sh", 'exec «daphne» "$@"'),
    ("a.sh", "«daphne» $ARGS"),
    ("c.yaml", 'entrypoint: ["pg_isready","-U"]\ncommand: ["daphne","-d","x"]'),
    ("c.yaml", 'command: ["pg_isready","-U"]\nargs: ["daphne","-d","x"]'),
    ("c.yaml", "command: pg_isready -U daphne"),
    ("c.yaml", "entrypoint: psql -U\ncommand: daphne -d x"),
    ("c.yaml", 'entrypoint: ""\ncommand: «daphne» -d x'),
    ("c.yaml", 'entrypoint: /launcher\ncommand: bash -c "«daphne» -b 0 a:b"'),
    ("c.yaml", "- command: «daphne» -p 80 a:b\n  args: {chdir: /srv/daphne}"),
    ("c.yaml", "run: daphne serves things nicely"),
    ("c.yaml", "args: [daphne]"),
    ("c.yaml", 'args: [«daphne», -b, "::", "a:b"]'),
    ("Dockerfile", 'ENTRYPOINT ["psql","-U"]\nCMD ["daphne","-d","x"]'),
    ("Dockerfile", "ARG APP=daphne\nUSER daphne:daphne\nWORKDIR /daphne\nCOPY --chown=daphne . ."),
    ("s.py", "INSTALLED_APPS = env.list('APPS', default=['daphne'])"),
    ("s.py", "INSTALLED_APPS = base.INSTALLED_APPS + ['«daphne»']"),
    ("s.py", "class Dev(Base):\n    INSTALLED_APPS = ['«daphne»'] + Base.INSTALLED_APPS\n"),
    ("s.py", "INSTALLED_APPS = list(dict.fromkeys(['daphne', 'x']))"),
    (
        "x.service",
        "[Service]\nExecStart=podman run --name daphne -u daphne x «daphne» a:b",
    ),
    ("Procfile", "web: bin/start-nginx «daphne» -p 80 a:b"),
    ("p.json", '{"scripts":{"a":"NODE_ENV=x npm run b && «daphne» a:b"}}'),
    ("s.py", "A=['«daphne»']\nB=['daphne']\nINSTALLED_APPS = A + [a for a in C if a not in A]"),
]
"""Names of files, and their text with « » around what is to change."""


class Runs(NamedTuple):
    """A copy of the corpus after two runs, and what they said."""

    folder: Path
    first: "subprocess.CompletedProcess[str]"
    second: "subprocess.CompletedProcess[str]"


@pytest.fixture(scope="module")
def runs(server_command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("corpus") / "files"
    shutil.copytree(CORPUS / "before", folder)
    command = [*server_command, "migrate", "--write", *NAMES]
    first, second = (
        subprocess.run(command, capture_output=True, text=True, cwd=folder) for _ in range(2)
    )
    return Runs(folder, first, second)


def test_the_corpus_is_large_and_each_expected_file_has_one_that_it_is_made_of() -> None:
    assert len(NAMES) >= 60
    after = [path for path in (CORPUS / "after").rglob("*") if path.is_file()]
    assert {str(path.relative_to(CORPUS / "after")) for path in after} < set(NAMES)


def test_every_file_of_the_corpus_is_read(runs: Runs) -> None:
    assert runs.first.returncode == 0, runs.first.stderr
    assert "cppasgi migrate:" not in runs.first.stderr


@pytest.mark.parametrize("name", NAMES)
def test_what_is_expected_changes_and_nothing_else(runs: Runs, name: str) -> None:
    before = (CORPUS / "before" / name).read_bytes()
    after = CORPUS / "after" / name
    expected = after.read_bytes() if after.exists() else before
    assert (runs.folder / name).read_bytes() == expected
    backup = runs.folder / f"{name}.daphne"
    assert (backup.read_bytes() if backup.exists() else expected) == before


@pytest.mark.parametrize("name", NAMES)
def test_each_line_that_still_names_daphne_is_listed_with_a_reason(runs: Runs, name: str) -> None:
    lines = (runs.folder / name).read_bytes().split(b"\n")
    naming = [number for number, line in enumerate(lines, 1) if b"daphne" in line.lower()]
    for result in (runs.first, runs.second):
        said = [line for line in result.stderr.split("\n") if line.startswith(f"{name}:")]
        left = [line for line in said if ": left as it is (" in line]
        assert [int(line.split(":")[1]) for line in left] == naming


def test_names_beside_commands_stay(server_command: list[str], tmp_path: Path) -> None:
    files = []
    for number, (name, text) in enumerate(AWKWARD):
        files.append(tmp_path / str(number) / name)
        files[-1].parent.mkdir()
        files[-1].write_text(text.replace("«", "").replace("»", ""))
    command = [*server_command, "migrate", "--write", *map(str, files)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    expected = [text.replace("«daphne»", "cppasgi") for _, text in AWKWARD]
    assert [file.read_text() for file in files] == expected


def test_a_second_run_changes_nothing(runs: Runs) -> None:
    assert (runs.second.returncode, runs.second.stdout) == (0, "")
    assert "changed" not in runs.second.stderr.replace("which changed", "")
