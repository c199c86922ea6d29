"""What a run shows: the live table, the line a session, the summary."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from bot.app.render.live import LiveView, QuietView, interval_view
from bot.app.render.plans import decision_sentence
from bot.app.render.summary import print_summary, summary_json
from tests.bot.app.samples import interval_report, plan, run_summary, session_report


def screen(width: int = 100, *, is_terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=is_terminal, highlight=False)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100])
def test_the_live_table_says_where_the_run_is_and_fits(width):
    console = screen(width)
    console.print(interval_view(interval_report(), title="alvh run"))
    text = text_of(console)
    for part in (
        "Mon 2020-03-09 10:00 EDT",
        "SPX 2,746.56   VIX 54.46",
        "M1 47.30  M2 41.20  M3 37.90   backwardation",
        "R1 backwardation  R3 spike",
        "11 open   net vega per condor -0.11",
        "under-hedged: G1",
        "day -12,346   run -12,346",
        "12 x C0007 20APR 2300/2310/3000/3010 for 1.15",
        "37%",
        "B9",
    ):
        assert part in text
    assert max(len(line) for line in text.splitlines()) <= width


def test_the_live_view_draws_on_a_terminal_and_leaves_it_clean():
    console = screen(is_terminal=True)
    with LiveView(console, title="alvh run") as view:
        view.on_interval(interval_report())
        view.on_session(session_report())
    assert "SPX 2,746.56" in text_of(console)


def test_the_live_view_does_not_draw_every_interval_of_a_fast_run():
    console = screen(is_terminal=True)
    with LiveView(console, title="alvh run") as view:
        for _ in range(50):
            view.on_interval(interval_report())
    assert text_of(console).count("net vega per condor") < 10


def test_what_is_said_between_looks_is_shown_until_something_is_decided():
    console = screen(is_terminal=True)
    with LiveView(console, title="alvh run") as view:
        view.on_note("connecting")
        assert "alvh run" in text_of(console)
        assert "connecting" in text_of(console)
        view.on_interval(interval_report())
        view.on_note("Mon 11:15 skipped: no quotes")
    shown = text_of(console).rpartition("SPX 2,746.56")[2]
    assert "skipped: no quotes" in shown
    assert "connecting" not in shown


def test_without_a_terminal_what_is_said_between_looks_is_a_line(capsys):
    with QuietView() as view:
        view.on_note("Mon 11:15 skipped: no quotes")
    assert capsys.readouterr().err == "Mon 11:15 skipped: no quotes\n"


def test_without_a_terminal_a_session_is_one_line_on_stderr(capsys):
    with QuietView() as view:
        view.on_interval(interval_report())
        view.on_session(session_report())
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "2020-03-09  net liq. 987,654  day -12,346  decisions 26  fills 31  condors +1 -2"
        "  hedge trades 9\n"
    )


def test_a_plan_that_does_nothing_says_why():
    idle = plan(acts=False)
    assert decision_sentence(idle) == "nothing: C1: no entry is due [now]"
    roll = "C10: C0007 is not rolled: in: nothing fits"
    rolls_first = replace(idle, no_trade_reasons=(roll, *idle.no_trade_reasons))
    assert decision_sentence(rolls_first) == "nothing: C1: no entry is due [now]"
    assert decision_sentence(replace(idle, no_trade_reasons=(roll,))) == f"nothing: {roll}"
    assert decision_sentence(plan()) == (
        "open 12 x C0007 20APR 2300/2310/3000/3010 for 1.15; L1 +15 VIX 15APR20 30 C (L1, S1)"
    )


def test_the_summary_says_what_came_of_the_run_and_where_to_look():
    console = screen()
    print_summary(console, run_summary())
    text = text_of(console)
    for part in (
        "Run complete",
        "1,600 in 62 sessions",
        "30 opened, 27 closed, 3 open",
        "L1:40  L2:22",
        "B1:4  B9:300  C1:30",
        "1,000,000.00 -> 1,012,345.67 USD",
        "+12,345.67 USD = condors +10,000.00  hedge +4,000.00  fees -1,654.33",
        "ledger and broker agree, difference 0.00 USD",
        "40.0 s, 40 decisions/s, 310 MB at most",
        "var/simulated-DU0000001.sqlite",
        "alvh audit coverage --at 2020-03-09T14:00Z",
    ):
        assert part in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_where_to_look_next_names_the_files_of_the_run():
    console = screen()
    print_summary(console, run_summary(), ["--config", "mine.yaml"])
    assert "alvh status --config mine.yaml" in text_of(console)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"halted": "books disagree: cash"}, "HALTED: books disagree: cash"),
        ({"stopped_by": "SIGTERM"}, "Stopped by SIGTERM; `alvh run` goes on from here"),
        ({"decisions": 0}, "Nothing decided: no interval was due"),
        ({"reconciliation_breaks": ("SPXW: ledger 3, broker 2",)}, "SPXW: ledger 3, broker 2"),
    ],
)
def test_the_summary_says_what_went_otherwise(changes, expected):
    console = screen()
    print_summary(console, run_summary(**changes))
    assert expected in text_of(console)


@pytest.mark.parametrize(
    ("called", "on_path", "expected"),
    [
        (".venv/bin/alvh", False, ".venv/bin/alvh"),
        (".venv/bin/alvh", True, "alvh"),
        ("bot/app/__main__.py", False, "alvh"),
    ],
)
def test_hints_name_the_program_as_it_can_be_typed(
    tmp_path, monkeypatch, called, on_path, expected
):
    program = tmp_path / called
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(program)])
    monkeypatch.setenv("PATH", str(program.parent) if on_path else "/nowhere")
    console = screen()
    print_summary(console, run_summary())
    assert f"\n  {expected} audit replay" in text_of(console)


def test_the_summary_as_json_is_exact():
    values = json.loads(json.dumps(summary_json(run_summary())))
    assert values["final_nlv_usd"] == "1012345.67"
    assert values["total_pnl_usd"] == "12345.67"
    assert values["first_at"] == "2020-03-09T14:00:00+00:00"
    assert values["decisions"] == 1600
    assert values["decisions_per_s"] == 40.0
