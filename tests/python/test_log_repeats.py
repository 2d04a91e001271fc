"""The rule for repeats in the log, with a clock of the test's own."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from cppasgi.observing import log_repeats
from cppasgi.observing.log_repeats import RepeatFilter

pytestmark = pytest.mark.python_side


class Clock:
    """Time as the filter sees it."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Log:
    """What the logger cppasgi.repeats wrote, and its filter's clock."""

    def __init__(self, repeats: RepeatFilter, clock: Clock) -> None:
        self.logger = logging.getLogger("cppasgi.repeats")
        self.repeats = repeats
        self.clock = clock
        self.records: list[logging.LogRecord] = []

    def take(self) -> list[str]:
        texts = [record.getMessage() for record in self.records]
        self.records.clear()
        return texts


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    clock = Clock()
    monkeypatch.setattr(log_repeats, "time", clock)
    log = Log(RepeatFilter(), clock)
    handler = logging.Handler()
    handler.emit = log.records.append  # type: ignore[method-assign]
    log.logger.addFilter(log.repeats)
    log.logger.addHandler(handler)
    yield log
    log.logger.removeFilter(log.repeats)
    log.logger.removeHandler(handler)


def test_ten_of_a_kind_pass_and_the_rest_is_told_by_a_later_line(log: Log) -> None:
    for number in range(12):
        log.logger.warning("a of %d", number)
    assert log.take() == [f"a of {number}" for number in range(10)]
    log.logger.warning("b")
    log.clock.now += 10
    log.logger.warning("c")
    assert log.take() == ["b", "a of 0: 2 more lines like this were left out in the last 10 s", "c"]


def test_what_is_no_warning_passes(log: Log) -> None:
    for _ in range(12):
        log.logger.info("a")
    log.logger.setLevel(logging.INFO)
    for _ in range(12):
        log.logger.info("a")
    log.logger.setLevel(logging.NOTSET)
    assert log.take() == ["a"] * 12


def test_many_kinds_take_bounded_memory(log: Log) -> None:
    for number in range(5000):
        log.logger.warning(str(number))
    assert len(log.take()) == 5000
    assert len(log.repeats._kinds) <= 1000


def test_an_exception_whose_text_cannot_be_had_is_written(log: Log) -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    for _ in range(12):
        log.logger.error("failed", exc_info=Broken())
    log.repeats.report()
    assert log.take()[10:] == ["failed: 2 more lines like this were left out in the last 10 s"]


def test_the_same_text_with_another_cause_is_no_repeat(log: Log) -> None:
    for number in range(12):
        error = ValueError("outer")
        error.__cause__ = KeyError(number)
        log.logger.error("failed", exc_info=error)
    log.repeats.report()
    texts = log.take()
    assert texts[:10] == ["failed"] * 10
    assert texts[10:] == ["failed (ValueError: outer; a traceback like it was written)"] * 2


def test_a_cause_that_leads_back_ends(log: Log) -> None:
    error = ValueError("a")
    error.__context__ = KeyError("b")
    error.__context__.__context__ = error
    log.logger.error("failed", exc_info=error)
    assert log.take() == ["failed"]
