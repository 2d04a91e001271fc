"""What the documents for users say: flags that exist, commands that work."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import StartServer
from ports import free_port

pytestmark = pytest.mark.python_side

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FOLDERS = [
    ".",
    "docs",
    "docs/design",
    "server",
    "asgi_bridge",
    "benchmarks",
    "examples",
    "examples/*",
]
PAGES = [str(page.relative_to(ROOT)) for at in FOLDERS for page in sorted(ROOT.glob(f"{at}/*.md"))]
FLAG = re.compile(r"(?<![\w-])--?[a-zA-Z][\w-]*")

NEEDED = {
    "cppasgi status": r"cppasgi \S+, ready, up .*\n(.*\n){2}",
    "curl -s 127.0.0.1:9464/readyz": "ready",
    "curl -s 127.0.0.1:9464/metrics | grep": "# TYPE cppasgi_limits_total counter",
    "curl -s -o /dev/null -D - -m 2": "HTTP/1.1 101 Switching Protocols\r\n",
    "kill -USR2 $PID": "",
    "grep -E '^(Rss|Pss|Private_Dirty)' /proc/$PID": r"Rss: +\d+ kB\nPss: +\d+ kB\n",
    "grep 'open files' /proc/$PID/limits": r"Max open files +\d+",
    "ls /proc/$PID/fd | wc -l": r"\d+\n",
    "ls -l /proc/$PID/fd | grep -o": r"\d+ socket:\[",
    "ss -tnp state close-wait '( sport = :8000 )'": "Local Address:Port",
    "ss -ltnp 'sport = :8000'": r"LISTEN .*:(?P<port>\d+) ",
}
"""How each command of troubleshooting.md begins, and what it prints for a healthy server."""
ELSEWHERE = ("PID=", "METRICS=", "psql ")
"""What needs systemd or PostgreSQL, or sets what the others use."""


def anchors(path: Path) -> set[str]:
    """What links to headings of a document end with, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("name", PAGES)
def test_tests_that_a_page_names_exist(name: str) -> None:
    for path, test in re.findall(r"`(tests/[\w/]+\.py): (\w+)`", (ROOT / name).read_text()):
        assert re.search(rf"^def {test}\(", (ROOT / path).read_text(), re.MULTILINE), test
    for path, test in re.findall(r"`(tests/cpp/[\w/]+\.cpp): ([^`]+)`", (ROOT / name).read_text()):
        text = re.sub(r'"\s+"', "", (ROOT / path).read_text())
        assert re.search(rf'TEST_CASE\(\s*"{re.escape(test)}"', text), test


@pytest.mark.parametrize("name", PAGES)
def test_files_that_a_page_names_exist(name: str) -> None:
    folders = "server|asgi_bridge|python|scripts|tests|benchmarks|examples|cmake|docs"
    for path in re.findall(rf"`((?:{folders})/[\w./-]+\.\w+)", (ROOT / name).read_text()):
        assert (ROOT / path).exists(), path


def test_the_grep_for_counters_finds_each_line_that_counts() -> None:
    """That of server/README.md."""
    sources = [
        path
        for folder in ("server", "asgi_bridge")
        for path in (ROOT / folder).rglob("*.[hc]*")
        if path.suffix in {".h", ".cpp"} and path.stem != "metrics"
    ]
    metrics = (ROOT / "server/metrics.h").read_text().partition("struct Metrics {")[2]
    counters = re.findall(r"^  [A-Z]\w+ (\w+);|^  std::array<.*> (\w+);", metrics, re.MULTILINE)
    names = "|".join(name for pair in counters for name in pair if name)
    counts = re.compile(
        rf"\b({names})\.(add|subtract|set|observe)|\bcount\((Limit|Handshake)::"
        r"|[.>]count_(response|cut_response|route|disconnect)\("
    )
    counting = {
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources
        for line in path.read_text().splitlines()
        if counts.search(line)
    }
    readme = (ROOT / "server/README.md").read_text()
    command = re.search(r"`(grep -rE [^`]+)`", readme)
    assert command
    found = subprocess.run(
        command[1], shell=True, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert len(counting) > 30
    assert counting - set(found.stdout.splitlines()) == set()


@pytest.fixture(scope="module")
def known_flags(server_command: list[str]) -> set[str]:
    """Those of `--help`."""
    result = subprocess.run([*server_command, "--help"], capture_output=True, text=True)
    return set(FLAG.findall(result.stdout))


def rows(name: str, heading: str) -> list[list[str]]:
    """The cells of the table below the heading of a document, from its header on."""
    text = (DOCS / name).read_text().split(f"\n{heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]


def test_the_table_for_other_servers_names_flags_that_exist(known_flags: set[str]) -> None:
    header, _, *body = rows("coming-from-other-servers.md", "## Flags")
    assert header[-1] == "cppasgi"
    assert len(known_flags) > 50
    named = set()
    for row in body:
        assert len(row) == len(header), row
        flags = FLAG.findall(row[-1])
        assert set(flags) <= known_flags, row
        named.update(flags)
    assert len(named) > 40


@pytest.mark.parametrize("name", PAGES)
def test_commands_in_documents_have_flags_that_exist(known_flags: set[str], name: str) -> None:
    text = re.sub(r" *\\\n\s*", " ", (ROOT / name).read_text())
    commands = re.findall(r"(?:^|/|`| -m )cppasgi +(-[^\n`]*)", text, re.MULTILINE)
    for command in commands:
        assert set(FLAG.findall(command)) <= known_flags, command


def test_the_flags_are_documented_in_the_groups_of_the_help(server_command: list[str]) -> None:
    result = subprocess.run([*server_command, "--help"], capture_output=True, text=True)
    _, *parts = re.split(r"^(\w.*):$", result.stdout, flags=re.MULTILINE)
    groups = dict(zip(map(str.lower, parts[::2]), parts[1::2], strict=True))
    del groups["positional arguments"]
    groups["the command"] = groups.pop("options")
    page = (DOCS / "configuration.md").read_text()
    _, *parts = re.split(r"^##+ (.*)$", page.lower(), flags=re.MULTILINE)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    in_order = [title for title in groups if title != "the command"]
    assert [title for title in sections if title in in_order] == in_order
    for title, text in groups.items():
        flags = set(re.findall(r"^  (?:-\w(?: \S+)?, )?(--[\w-]+)", text, re.MULTILINE))
        cells = " ".join(re.findall(r"^\| (`-.*?`) \|", sections[title], re.MULTILINE))
        assert flags - {"--help"} <= set(FLAG.findall(cells)), title


def shell_commands(name: str) -> list[str]:
    """The commands of the blocks marked `sh`."""
    blocks = re.findall(r"```sh\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)
    lines = re.sub(r"\\\n\s*|\n\s+", " ", "".join(blocks)).splitlines()
    return [line for line in lines if line and not line.startswith(ELSEWHERE)]


def test_the_commands_against_trouble_work(server: StartServer, tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    monitor = f"127.0.0.1:{free_port()}"
    process = server("apps.working:app", "--workers", "1", "--metrics", monitor)
    environment = {
        **os.environ,
        "PID": str(process.process.pid),
        "METRICS": monitor,
    }
    commands = shell_commands("troubleshooting.md")
    assert len(commands) >= len(NEEDED)
    for command in commands:
        wanted = next((text for begin, text in NEEDED.items() if command.startswith(begin)), None)
        assert wanted is not None, f"what does {command} print?"
        here = command.replace("127.0.0.1:9464", monitor).replace(":8000", f":{process.port}")
        result = subprocess.run(
            ["bash", "-c", here], env=environment, capture_output=True, text=False, timeout=20
        )
        output = result.stdout.decode(errors="replace")
        assert re.search(wanted, output), f"{here}: {output}{result.stderr.decode()}"
    process.wait_for_log("most recent call first")
    process.wait_for_log(r"Process \d+: \d+ connections")
