"""Daphne 4.2.3 and cppasgi side by side: the same bytes to both, the same application on both.

The bytes that come back, what the application is told (scopes and events) and what its `send()`
raises must be the same, but for the differences of differences.py; each of these is a row of
docs/migrating-from-daphne.md.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import request_cases
import response_cases
import websocket_cases
from case import Case
from comparing import left, named_cases, names_for, names_shown_by, pair_for
from differences import DIFFERENCES
from seen import Outcome
from server_process import ServerProcess
from side import Side

PAGE = Path(__file__).resolve().parents[2] / "docs" / "migrating-from-daphne.md"
CASES = [*request_cases.CASES, *response_cases.CASES, *websocket_cases.CASES]

Run = Callable[[Case], list[Outcome]]


@pytest.fixture(scope="session")
def run_on_both(
    daphne_site: Path, server_command: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Run]:
    """Runs a case on Daphne and on cppasgi at once; servers are started once for each set of flags.

    Returns their outcomes in this order.
    """
    sides: dict[object, list[Side]] = {}

    def started(case: Case) -> list[Side]:
        key = (*case.flags, case.server)
        if key not in sides:
            commands = [[sys.executable, "-m", "daphne"], server_command]
            folders = [tmp_path_factory.mktemp(name) for name in ("daphne", "cppasgi")]
            path = [daphne_site]
            sides[key] = [
                Side(command, case.flags, folder, path)
                for command, folder in zip(commands, folders, strict=True)
            ]
            for side in sides[key]:
                side.process.wait_until_listening()
        return sides[key]

    with ThreadPoolExecutor(2) as threads:
        yield lambda case: list(threads.map(lambda side: side.run(case), started(case)))
        processes = [side.process for side in itertools.chain(*sides.values())]
        for process in processes:
            process.send_signal()
        list(threads.map(ServerProcess.kill, processes))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_same_bytes_and_events(run_on_both: Run, case: Case) -> None:
    daphne, cppasgi = run_on_both(case)
    pair = pair_for(case.name)
    if pair is not None:
        assert (daphne.summary(), cppasgi.summary()) == pair
        return
    names = names_for(case.name)
    found = left(daphne, cppasgi, names)
    assert not found, "\n".join(["Daphne and cppasgi differ", *found])
    for name in names_shown_by(case.name):
        others = [one for one in names if one != name]
        assert left(daphne, cppasgi, others), f"stale: nothing shows the difference {name!r}"


def test_there_are_enough_cases_with_names_of_their_own() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) >= 150


def test_differences_are_about_cases_that_exist() -> None:
    assert named_cases() <= {case.name for case in CASES}
    for name, difference in DIFFERENCES.items():
        assert difference.cases or difference.pairs, f"{name} is about nothing"


def test_every_difference_is_a_row_of_the_page() -> None:
    first_cells = set(re.findall(r"^\| (.+?) \|", PAGE.read_text(), re.MULTILINE))
    assert {difference.row for difference in DIFFERENCES.values()} <= first_cells
