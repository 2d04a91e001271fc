"""What differs between two outcomes of a case, without the differences of differences.py."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from differences import DIFFERENCES, Difference
from seen import Outcome


def names_for(case: str) -> list[str]:
    """The differences to take out of a case."""
    return [name for name, one in DIFFERENCES.items() if one.remove and _concerns(one, case)]


def names_shown_by(case: str) -> list[str]:
    """Those of them that the case must show."""
    return [name for name in names_for(case) if case in _shown_by(DIFFERENCES[name])]


def pair_for(case: str) -> tuple[str, str] | None:
    """What is expected of Daphne and of cppasgi where nothing is the same."""
    found = [one.pairs[case] for one in DIFFERENCES.values() if case in one.pairs]
    assert len(found) < 2
    return found[0] if found else None


def named_cases() -> set[str]:
    """All cases that are named here."""
    return {case for one in DIFFERENCES.values() for case in (*_shown_by(one), *one.pairs)}


def _shown_by(difference: Difference) -> Sequence[str]:
    return (difference.cases,) if isinstance(difference.cases, str) else difference.cases


def _concerns(difference: Difference, case: str) -> bool:
    return isinstance(difference.cases, str) or case in difference.cases


def left(daphne: Outcome, cppasgi: Outcome, names: Sequence[str]) -> list[str]:
    """Says what still differs once these differences are taken out."""
    theirs, ours = deepcopy(daphne), deepcopy(cppasgi)
    for name in names:
        remove = DIFFERENCES[name].remove
        assert remove is not None
        remove(theirs, ours)
    found = []
    for what in ("answers", "frames", "rest", "end"):
        if getattr(theirs, what) != getattr(ours, what):
            found.append(f"{what}:\n  {getattr(theirs, what)}\n  {getattr(ours, what)}")
    if len(theirs.calls) != len(ours.calls):
        found.append(f"calls: {len(theirs.calls)} and {len(ours.calls)}")
    pairs = zip(theirs.calls, ours.calls, strict=False)
    return found + [_unequal(*pair) for pair in pairs if pair[0] != pair[1]]


def _unequal(daphne: list[Any], cppasgi: list[Any]) -> str:
    theirs = [entry for entry in daphne if entry not in cppasgi]
    ours = [entry for entry in cppasgi if entry not in daphne]
    return f"recorded:\n  {theirs or daphne}\n  {ours or cppasgi}"
