"""Keeps the documentation's tables and the tests together.

docs/http1.md: the tables between `<!-- cases FILE -->` and `<!-- end -->` are written from the
literate cases in tests/data/http1/FILE, one row for each case. Here and in docs/asgi.md and
docs/websocket.md every test that is named as `FILE: NAME` must exist. Without arguments it writes
the tables; `--check` only says what is wrong.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
HTTP1 = DOCS / "http1.md"
CASES = ROOT / "tests" / "data" / "http1"
TABLE = re.compile(r"(<!-- cases (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
TEST = re.compile(r"`(tests/\S+): ([^`]+)`")
# The log's last line when the connection ends inside a request: there is nobody to answer.
CUT_OFF = "cut off"


def read_cases(name: str) -> list[tuple[str, str, list[str]]]:
    """Returns title, RFC sections and log lines of each case of a file."""
    text = (CASES / name).read_text()
    default = re.search(r"\bRFC \d+ section \d+(\.\d+)*", text)
    assert default is not None, f"{name} names no RFC"
    cases = []
    for part in text.split("\n## ")[1:]:
        title, rfc = part.partition("\n")[0], default[0].replace(" section", "")
        if match := re.fullmatch(r"(.*) \((RFC [^()]*)\)", title):
            title, rfc = match[1], match[2]
        log = re.search(r"```log\n(.*?)```", part, re.DOTALL)
        assert log is not None, f"{name}: {title} has no log"
        cases.append((title, rfc, [line for line in log[1].splitlines() if line]))
    return cases


def outcome(log: list[str]) -> tuple[str, str]:
    """Returns the status and what happens besides, from the events of a case."""
    served = sum(line.startswith("end") for line in log)
    before = f"{served} served before; " if served else ""
    last = log[-1] if log else ""
    if last == CUT_OFF:
        return "none", before + "dropped; the application, if called, gets `http.disconnect`"
    if match := re.fullmatch(r"error (\d+): (.*)", last):
        return match[1], f"{before}{match[2]}; closed"
    if not log:
        return "none", "no request"
    assert last.startswith("end"), last
    what = "served" if served == 1 else f"{served} served, in order"
    return "taken", what + ("; kept alive" if "keep-alive" in last else "; closed")


def cell(text: str) -> str:
    """Returns the text as the content of a table's cell."""
    return text.replace("|", "\\|").replace("``", "(empty)")


def make_table(name: str) -> str:
    """Returns the rows of one file of cases."""
    rows = ["| form | status | what happens | rule |", "|---|---|---|---|"]
    for title, rfc, log in read_cases(name):
        status, what = outcome(log)
        rows.append(f"| {cell(title)} | {status} | {cell(what)} | {rfc} |")
    return "\n".join(rows) + "\n"


def missing_tests(text: str) -> list[str]:
    """Returns the tests that the text names and that aren't there."""
    missing = []
    for path, name in TEST.findall(text):
        file = ROOT / path
        pattern = rf"def {name}\(" if path.endswith(".py") else re.escape(f'"{name}"')
        source = file.read_text() if file.is_file() else ""
        if not re.search(pattern, re.sub(r'"\s*\n\s*"', "", source)):
            missing.append(f"{path}: {name}")
    return missing


def main() -> int:
    """Writes the tables, or checks them and the tests named around them."""
    text = HTTP1.read_text()
    written = TABLE.sub(lambda match: match[1] + make_table(match[2]) + match[3], text)
    wrong = [
        f"{test} is no test"
        for doc in (HTTP1, DOCS / "asgi.md", DOCS / "websocket.md")
        if doc.is_file()
        for test in missing_tests(doc.read_text())
    ]
    named = {match[2] for match in TABLE.finditer(text)}
    wrong += [f"{path.name} has no table" for path in CASES.glob("*.md") if path.name not in named]
    if "--check" not in sys.argv:
        HTTP1.write_text(written)
    elif written != text:
        wrong.append("docs/http1.md differs from the cases: run scripts/http1_table.py")
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
