"""A decision as a person reads it: nothing left out, nothing guessed, nothing too wide."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from bot.app.render.decision import band_lines, gate_words, print_decision
from strategies.model.memory import Memory, RegimeMemory, RotationMemory
from strategies.model.plan import BookBreakevens, CondorAdjust, CondorClose, Gate
from strategies.model.rules import Rules
from tests.bot.app.samples import MEASURES, condor_open, layer, plan
from tests.builders import condor_legs

MEMORY = Memory(rsi_vix_high=True, rotation=RotationMemory(l1_cut=0.25, steps_left=2))
FULL = replace(
    MEASURES,
    irr=0.2134,
    wacc=0.0312,
    vega_per_theta=None,
    worst_shock="SPX -20 %, VIX +10",
    worst_shock_usd=-54_321.0,
    breakevens=(
        BookBreakevens(
            vix_points=8.0,
            hedged=True,
            today_low=None,
            today_high=None,
            expiry_low=2788.03,
            expiry_high=None,
        ),
    ),
    forward_vega=(("L1", 400.0, 300.0, 100.0, 0.0), ("book", 800.0, 700.0, 600.0, 500.0)),
)


def shown(made, memory=MEMORY, width=100) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    print_decision(console, made, memory, Rules())
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert max(len(line) for line in text.splitlines()) <= width
    return text


def section(text: str, title: str) -> str:
    return text.split(f"\n{title}", 1)[1].split("\n\n", 1)[0]


def test_the_first_lines_say_what_is_done_and_under_which_rules():
    text = shown(plan())
    assert text.startswith("Mon 2020-03-09 10:00 EDT   open 12 x C0007 20APR 2300/2310/3000/3010")
    assert "hedge: under-hedged: G1" in text
    assert "rules ffffffffffffffff (D1)" in text


def test_a_layer_has_its_numbers_its_trades_its_rules_its_cap_and_its_gates():
    gates = (
        Gate(rule="L1", name="breadth diverges", value="no", threshold="yes", passed=False),
        Gate(rule="B9", name="contracts L1 lacks", value=12.0, threshold=3.0, passed=False),
        Gate(rule="B9", name="contracts L2 lacks", value=1.0, threshold=3.0, passed=True),
    )
    first = replace(
        layer("L1", 15),
        trades=(("VIX   200415C00030000", 15), ("VXM   200415", -2)),
        runner_up="VIX   200415C00032000",
    )
    made = replace(plan(), layers=(first, layer("L2"), layer("L3")), gates=gates)
    text = section(shown(made), "L1 shock absorber: boost")
    for part in (
        "now 400, target 800, planned 600",
        "share 50% x scale 1.25, 20 contracts   rules: L1 S1   binding cap: B9",
        "change: +15 VIX 15APR20 30 C; -2 VXM 15APR20, which beat VIX 15APR20 32 C",
        "no  L1  breadth diverges: no (yes)",
        "no  B9  contracts L1 lacks: 12 (3)",
    ):
        assert part in text
    assert "contracts L2 lacks" not in text
    assert "contracts L2 lacks" in section(shown(made), "L2 mid-term buffer")
    assert "change: none" in section(shown(made), "L2 mid-term buffer")


def test_condors_are_closed_rolled_and_opened():
    legs = condor_legs("SPXW 20APR20 2300/2310/3000/3010")
    adjust = CondorAdjust(
        condor_id="C0003",
        new_condor_id="C0003-1",
        new_legs=replace(legs, long_ratio=2),
        quantity=4,
        mid_credit=0.35,
        adjustments=1,
        net_vega=-0.2,
        short_put_delta=-0.16,
        short_call_delta=0.16,
        entry_spot=2700.0,
        entry_sigma_sqrt_t=0.1,
        rules=("C10",),
        note="short put at 0.31",
    )
    close = CondorClose(condor_id="C0001", rules=("C9",), mark_debit=None, note="time exit")
    text = shown(replace(plan(), adjusts=(adjust,), closes=(close,), opens=(condor_open(),)))
    text = section(text, "Condors\n")
    assert "close C0001: no value   C9   time exit" in text
    assert "roll  4 x C0003 to C0003-1: 20APR 2300/2310/3000/3010 2:1 for 0.35 at mid   C10" in text
    assert "open  12 x C0007 20APR 2300/2310/3000/3010 for 1.15   C1 C2 C3   vega -0.210" in text


def test_the_book_stands_before_and_after_and_what_is_absent_has_its_reason():
    made = replace(
        plan(),
        before=FULL,
        after=FULL,
        missing=("S12 vega_per_theta: theta is -703.72 USD a day, waiting earns nothing",),
    )
    text = shown(made)
    rows = {line[:40].strip(): line[40:].split() for line in text.splitlines()}
    assert rows["expected rate (IRR), a year"] == ["21.34%", "21.34%"]
    assert rows["vega per theta (S12)"] == ["absent", "absent"]
    assert "absent: vega per theta (S12): theta is -703.72 USD a day" in text
    assert "absent: quick ratio (G6): no margin in use" in text
    assert "SPX -20 %, VIX +10" in text
    assert "condors and hedge" in text
    assert "2,788.0 .. none" in text
    assert rows["condor contracts"] == ["40", "40"]


def test_the_forward_vega_of_each_layer_stands_before_and_after():
    text = shown(replace(plan(), before=FULL, after=replace(FULL, forward_vega=())))
    lines = [line.split() for line in text.splitlines()]
    assert ["L1", "before", "400", "300", "100", "0"] in lines
    assert ["book", "before", "800", "700", "600", "500"] in lines


def test_a_book_without_a_price_is_absent_on_that_side():
    text = shown(replace(plan(), before=FULL, after=None))
    assert "the book cannot be priced" in text
    assert "Book: absent, it cannot be priced" in shown(replace(plan(), before=None, after=None))


def test_signals_are_grouped_by_id_and_the_absent_ones_named():
    made = replace(
        plan(),
        signals={
            "S10 migration": -0.5,
            "S2 rsi_spx": 44.0,
            "S1 rsi_vix": 72.5,
            "S1 rsi_vix_low": False,
            "S5 divergence": None,
            "S9 order_flow_z": None,
        },
        missing=("S9 order_flow_z: no history",),
    )
    lines = section(shown(made), "Signals (S)").splitlines()[1:]
    assert [line.split()[0] for line in lines[:3]] == ["S1", "S2", "S10"]
    assert lines[0].strip() == "S1   rsi_vix 72.50,  rsi_vix_low no"
    assert [line.strip() for line in lines[3:]] == [
        "absent: S9 order_flow_z: no history",
        "absent: S5 divergence",
    ]


@pytest.mark.parametrize(
    ("rsi", "row"),
    [
        (29.9, "below 30: low"),
        (30.0, "in 30 .. 50: resets"),
        (50.0, "in 50 .. 60: keeps"),
        (60.1, "above 60: sets"),
        (None, "absent"),
    ],
)
def test_a_latch_shows_the_row_it_falls_into(rsi, row):
    made = replace(plan(), signals={"S1 rsi_vix": rsi})
    line = band_lines(made, MEMORY, Rules())[0]
    assert row in line
    assert line.endswith("latched high: yes")


def test_bands_and_latches_tell_what_is_remembered():
    memory = replace(MEMORY, regime=RegimeMemory(spike=True), harvest_armed=True)
    text = "\n".join(band_lines(plan(), memory, Rules()))
    for part in (
        "B8  v -0.1086, below -0.05: below: add",
        "R3 spike on; R4 shift off",
        "B1  L1 cut 25.0%, at most 50%; 2 steps left",
        "B12 armed",
        "B11 not unwinding",
    ):
        assert part in text


def test_gates_that_did_not_pass_go_first_and_missing_data_is_absent():
    text = shown(plan())
    assert "no  G6  quick ratio: absent (1.50)" in text
    votes = (
        Gate(rule="E", name="curve: fear", value=0.18, threshold="fear > 0", passed=True),
        Gate(rule="E", name="reit: absent", value=None, threshold="", passed=False, note="no feed"),
    )
    panel = section(shown(replace(plan(), gates=votes)), "Evidence panel").splitlines()
    assert panel[1:] == [
        "  no  E   reit: absent  no feed",
        "  yes E   curve: fear: 0.18 (fear > 0)",
    ]


def test_counts_stand_without_decimals():
    gate = Gate(rule="C7", name="condors by margin", value=139.0, threshold=1.0, passed=True)
    assert gate_words(gate) == "yes C7  condors by margin: 139 (1)"


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_decision_fits_and_is_the_same_each_time(width):
    made = replace(plan(), before=FULL, after=FULL)
    assert shown(made, width=width) == shown(made, width=width)
    assert shown(plan(acts=False), width=width)
