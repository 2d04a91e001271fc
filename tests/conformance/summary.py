"""Sums up what Autobahn's fuzzing client found, and judges it."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

GOOD = {"OK", "INFORMATIONAL"}
MAY_BE_NON_STRICT = {"6.4.1", "6.4.2", "6.4.3", "6.4.4"}
"""Text that is invalid early on may be refused later; both are allowed."""


def is_good(case: str, result: dict[str, Any]) -> bool:
    """Is the case passed? Both its behaviour and its closing count."""
    allowed = GOOD | {"NON-STRICT"} if case in MAY_BE_NON_STRICT else GOOD
    return result["behavior"] in allowed and result["behaviorClose"] in GOOD


def summarise(results: dict[str, dict[str, Any]], reports: Path) -> int:
    """Prints counts for each section, and each case that is not passed with its report.

    Args:
        results: by case, as in Autobahn's index.json.
        reports: the folder in which the reports are.

    Returns:
        The exit status: 1 when a case is not passed, or there is none at all.
    """
    sections: dict[int, Counter[str]] = defaultdict(Counter)
    failures = []
    for case, result in results.items():
        sections[int(case.split(".")[0])][result["behavior"]] += 1
        if not is_good(case, result):
            failures.append((case, result))
    for section, counts in sorted(sections.items()):
        text = ", ".join(f"{count} {name}" for name, count in counts.most_common())
        print(f"section {section:>2}: {text}")
    for case, result in failures:
        print(
            f"NOT PASSED: {case}: {result['behavior']}, close {result['behaviorClose']}; "
            f"{reports / result['reportfile']}"
        )
    seconds = sum(result["duration"] for result in results.values()) / 1000
    print(f"Autobahn: {len(results)} cases, {len(failures)} not passed, {seconds:.1f} s")
    return 1 if failures or not results else 0
