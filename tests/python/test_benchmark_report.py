"""The pure parts of the benchmarks: reading wrk's report, ratios, the aims."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from loads import Load, parse_wrk
from measuring import Sample
from report import best_rival, figure, missed, overview, quiet, quiet_share, ratios
from servers import WrongAnswer
from tail import Asked, Tail, tables
from workloads import WORKLOADS

WRK = """Running 1s test @ http://127.0.0.1:8000/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.09ms    1.71ms  20.02ms   86.05%
    Req/Sec    33.49k     5.59k   43.49k    70.00%
  Latency Distribution
     50%    1.61s
     75%    2.44ms
     90%    3.89ms
     99%  950.00us
  33404 requests in 1.01s, 4.14MB read
Requests/sec:  33143.39
Transfer/sec:      4.11MB
p99.9 12345.0 us
""".replace("1.61s", "1.61s ")  # wrk writes a space after whole seconds
ROW = WORKLOADS["hello"]


def samples(**values: list[float]) -> list[Sample]:
    """Return samples of ``ROW``: the servers' values, round by round."""
    return [
        Sample(ROW.name, name.replace("_", "+"), number, value)
        for name, rounds in values.items()
        for number, value in enumerate(rounds)
    ]


def test_wrks_report_is_read_in_microseconds() -> None:
    load = parse_wrk(WRK)
    assert (load.count, load.seconds) == (33404, 1.01)
    assert (load.p50_us, load.p99_us, load.p999_us) == (1_610_000, 950, 12345)


@pytest.mark.parametrize(
    "line",
    ["  Socket errors: connect 0, read 3, write 0, timeout 0", "  Non-2xx or 3xx responses: 7"],
)
def test_a_single_error_that_wrk_counted_voids_the_run(line: str) -> None:
    with pytest.raises(WrongAnswer, match=line.strip()[:12]):
        parse_wrk(WRK + line + "\n")


def test_a_run_without_responses_is_no_result() -> None:
    with pytest.raises(WrongAnswer, match="no result"):
        parse_wrk(WRK.replace("33404 requests", "0 requests"))


def test_the_best_rival_is_neither_a_floor_nor_cppasgi_nor_its_variant() -> None:
    measured = samples(c_py=[1], cppasgi=[2], own_variant=[3], weft=[9, 9], uvicorn=[4, 50])
    assert best_rival(measured, ROW.name) == "weft"
    assert best_rival(samples(cppasgi=[2], c=[1]), ROW.name) is None


def test_ratios_are_taken_within_a_round() -> None:
    # The second round ran on a machine twice as slow; the third has no rival.
    measured = samples(cppasgi=[8, 16, 99], weft=[10, 20])
    assert ratios(measured, ROW.name, "cppasgi", "weft") == [0.8, 0.8]


def test_an_aim_is_missed_when_the_median_is_above_it_or_nothing_was_measured() -> None:
    assert missed(samples(cppasgi=[8, 8, 30], weft=[10, 10, 10]), [ROW]) == []
    assert "0.90 of weft" in missed(samples(cppasgi=[9], weft=[10]), [ROW])[0]
    assert "not measured" in missed(samples(weft=[10]), [ROW])[0]


def test_a_row_shows_each_median_and_a_dash_where_there_is_none() -> None:
    row = overview(samples(cppasgi=[8, 9, 10], weft=[10, 10, 10]), [ROW], ["cppasgi", "weft", "c"])
    assert "| 9.00 | 10.0 | - | 0.90 (0.80 to 1.00) of weft | - | 0.85 |" in row.splitlines()[2]


def test_the_quiet_share_is_of_the_lower_quartiles_of_four_rounds_or_more() -> None:
    # weft has the lower median, uvicorn the lower quartile; cppasgi's last round was disturbed.
    measured = samples(cppasgi=[8, 8, 8, 99], weft=[10, 10, 10, 10], uvicorn=[9, 9, 20, 20])
    assert quiet(measured, ROW.name, "cppasgi") == 8
    assert quiet_share(measured, ROW.name) == "0.89 of uvicorn"
    assert quiet_share(samples(cppasgi=[8, 8, 8], weft=[10, 10, 10]), ROW.name) == "-"
    assert quiet_share(samples(cppasgi=[8, 8, 8, 8], c=[1, 1, 1, 1]), ROW.name) == "-"


@pytest.mark.parametrize(("number", "text"), [(1.234, "1.23"), (12.34, "12.3"), (1234.5, "1,234")])
def test_figures_have_three_digits_at_least(number: float, text: str) -> None:
    assert figure(number) == text


def test_a_tail_is_that_of_the_middle_round_and_of_a_quiet_one() -> None:
    def asked(p99: float) -> Asked:
        return Asked(Load(2000, 2.0, p99 / 10, p99, p99 * 10), core_busy=p99 / 1000)

    def rows(tails: list[Tail]) -> list[str]:
        lines = tables({("hello", 1, "cppasgi"): tails}).splitlines()
        return [line for line in lines if "cppasgi" in line]

    rounds = [Tail(asked(p99), asked(2 * p99)) for p99 in (400, 100, 300, 200)]
    assert rows(rounds) == [
        "| hello | 1 | cppasgi | 1,000 | 25% | 25 | 250 | 125 | 2,500 |",
        "| hello | 1 | cppasgi | 1,000 | 50% | 50 | 500 | 250 | 5,000 |",
    ]
    assert rows(rounds[:3])[0] == "| hello | 1 | cppasgi | 1,000 | 30% | 30 | 300 | - | 3,000 |"
