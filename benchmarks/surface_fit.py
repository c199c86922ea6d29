"""How far the simulated option surfaces are from quoted chains, as JSON; refits them on request.

``python -m benchmarks.surface_fit [--data FOLDER] [--fit]``. Needs the recorded chains, which are
not packaged; FOLDER defaults to ALVH_SHARED_DATA or ``../shared/data`` beside the checkout.

SPX: on each recorded session the model is given the closes of the volatility indices and the parity
forward, and prices the 16-delta condor of every expiry 30 to 50 days away at the market's own
strikes; the error is model credit over mid-market credit - 1. Chains before 2023 were used to fit,
later ones were not. VIX: the model is given VVIX and the settlement of the VX future, and prices
every quoted 10 to 30 delta call; 2022-2023 were used to fit, 2024 was not.
"""

import argparse
import json
import math
import os
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import least_squares
from scipy.special import ndtr

from bot.exchange.smiles import Slices, total_variance
from bot.exchange.spx_surface import FITTED_SHAPE, SpxSmiles, SpxSurface, VolLevels, option_values
from bot.exchange.vix_surface import (
    FITTED_VIX_SHAPE,
    VixShape,
    vix_option_values,
    vix_smiles,
)
from bot.history.store import History
from strategies.pricing.implied_vol import implied_vol

TEST_FROM = date(2023, 1, 1)
VIX_TEST_FROM = date(2024, 1, 1)
TENORS = (30.0, 50.0)
WIDTHS = (5, 10, 25, 50)
SHORT_DELTA = 0.16


@dataclass(frozen=True, kw_only=True, eq=False)
class ChainSlice:
    """Quoted out-of-the-money options of one expiry."""

    session: date
    expiry: str
    root: str
    t_years: float
    forward: float
    discount: float
    strike: np.ndarray
    is_call: np.ndarray
    bid: np.ndarray
    ask: np.ndarray
    vol: np.ndarray

    @property
    def days(self) -> float:
        """Calendar days to settlement."""
        return self.t_years * 365.0

    @property
    def mid(self) -> np.ndarray:
        """Half way between bid and ask."""
        return (self.bid + self.ask) / 2

    @property
    def deviation(self) -> np.ndarray:
        """Implied vol times the root of time."""
        return self.vol * math.sqrt(self.t_years)

    @property
    def delta(self) -> np.ndarray:
        """Black-76 delta on the forward, undiscounted."""
        d1 = np.log(self.forward / self.strike) / self.deviation + self.deviation / 2
        return np.where(self.is_call, ndtr(d1), ndtr(d1) - 1.0)

    @property
    def vega(self) -> np.ndarray:
        """Points per vol point, undiscounted."""
        d1 = np.log(self.forward / self.strike) / self.deviation + self.deviation / 2
        density = np.exp(-0.5 * d1 * d1) / math.sqrt(2 * math.pi)
        return self.forward * density * math.sqrt(self.t_years) / 100.0


def find_data(named: str | None) -> Path:
    """Return the folder of recorded chains."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(named or os.environ.get("ALVH_SHARED_DATA") or default)


# --- SPX ----------------------------------------------------------------------------------------


def recorded_sessions(data: Path) -> pd.DataFrame:
    """Return one row a recorded chain with two-sided quotes."""
    index = pd.read_csv(data / "spx_option_chains" / "index.csv")
    return index[index["two_sided_share"] > 0.5]


def levels_on(history: History, session: date) -> VolLevels | None:
    """Return the closes of the volatility indices, or None if one is missing."""
    names = {"vix9d": "VIX9D", "vix": "VIX", "vix3m": "VIX3M", "vix6m": "VIX6M", "vvix": "VVIX"}
    closes = {key: history.daily(name).close_on(session) for key, name in names.items()}
    if any(close is None for close in closes.values()):
        return None
    return VolLevels(**closes)


def read_slices(
    data: Path, row: pd.Series, history: History, tenors: tuple[float, float]
) -> list[ChainSlice]:
    """Return the expiries of one recorded chain whose tenor lies in a range of days."""
    session = date.fromisoformat(row["session"])
    chain = pd.read_csv(data / "spx_option_chains" / row["file"])
    captured = pd.Timestamp(row["captured_at_et"])
    close = pd.Timestamp(session) + pd.Timedelta(hours=16, minutes=15)
    at = min(captured, close) if row["kind"].startswith("intraday") else close
    rate = history.rate_on(session)
    slices = []
    for (root, expiry), group in chain.groupby(["root", "expiration"]):
        settles = pd.Timestamp(expiry) + pd.Timedelta(hours=9.5 if root == "SPX" else 16)
        t_years = (settles - at).total_seconds() / 86400 / 365
        if not tenors[0] <= t_years * 365 <= tenors[1]:
            continue
        made = _make_slice(session, root, expiry, t_years, rate, group)
        if made is not None:
            slices.append(made)
    return slices


def _make_slice(session, root, expiry, t_years, rate, group) -> ChainSlice | None:
    quoted = group[(group["bid"] > 0) & (group["ask"] > group["bid"])]
    mids = quoted.assign(mid=(quoted["bid"] + quoted["ask"]) / 2)
    pairs = mids.pivot_table(index="strike", columns="type", values="mid")
    if "P" not in pairs or "C" not in pairs:
        return None
    pairs = pairs.dropna()
    if len(pairs) < 8:
        return None
    discount = math.exp(-rate * t_years)
    gap = (pairs["C"] - pairs["P"]) / discount
    nearest = gap.abs().nsmallest(8).index
    forward = float(np.median(nearest.to_numpy() + gap[nearest].to_numpy()))
    is_call = (quoted["type"] == "C").to_numpy()
    strike = quoted["strike"].to_numpy(dtype=float)
    own = quoted[np.where(is_call, strike > forward, strike <= forward)].sort_values("strike")
    strike = own["strike"].to_numpy(dtype=float)
    is_call = (own["type"] == "C").to_numpy()
    mid = ((own["bid"] + own["ask"]) / 2).to_numpy()
    found = implied_vol(mid, forward, strike, t_years, discount, is_call)
    ok = found.ok
    if ok.sum() < 12:
        return None
    return ChainSlice(
        session=session,
        expiry=expiry,
        root=root,
        t_years=t_years,
        forward=forward,
        discount=discount,
        strike=strike[ok],
        is_call=is_call[ok],
        bid=own["bid"].to_numpy()[ok],
        ask=own["ask"].to_numpy()[ok],
        vol=found.vol[ok],
    )


def model_values(piece: ChainSlice, surface: SpxSurface) -> np.ndarray:
    """Return the model's value of each option of a slice."""
    smiles = surface.at(np.array([piece.t_years]))
    return _values(piece, smiles)


def _values(piece: ChainSlice, smiles: SpxSmiles) -> np.ndarray:
    both = option_values(
        smiles,
        np.zeros(len(piece.strike), dtype=np.int64),
        np.array([piece.forward]),
        piece.strike,
        np.array([piece.discount]),
    )
    return np.where(piece.is_call, both[:, 1], both[:, 0])


def condor_errors(piece: ChainSlice, surface: SpxSurface) -> list[dict]:
    """Return one row a width: relative credit error and vol errors of both shorts."""
    model, mid = model_values(piece, surface), piece.mid
    put = np.where(piece.is_call, 9.0, np.abs(piece.delta + SHORT_DELTA)).argmin()
    call = np.where(piece.is_call, np.abs(piece.delta - SHORT_DELTA), 9.0).argmin()
    rows = {
        (strike, is_call): row
        for row, (strike, is_call) in enumerate(zip(piece.strike, piece.is_call, strict=True))
    }
    vol_error = (model - mid) / piece.vega
    errors = []
    for width in WIDTHS:
        long_put = rows.get((piece.strike[put] - width, False))
        long_call = rows.get((piece.strike[call] + width, True))
        if long_put is None or long_call is None:
            continue
        market = mid[put] - mid[long_put] + mid[call] - mid[long_call]
        modelled = model[put] - model[long_put] + model[call] - model[long_call]
        errors.append(
            {
                "session": piece.session,
                "width": width,
                "credit": market,
                "credit_error": modelled / market - 1.0,
                "put_vol_error": vol_error[put],
                "call_vol_error": vol_error[call],
            }
        )
    return errors


def measure_spx(data: Path, history: History) -> pd.DataFrame:
    """Return one row a recorded condor."""
    rows = []
    for _, row in recorded_sessions(data).iterrows():
        levels = levels_on(history, date.fromisoformat(row["session"]))
        if levels is None:
            continue
        surface = SpxSurface(levels)
        for piece in read_slices(data, row, history, TENORS):
            rows += [
                {**error, "vix": levels.vix, "kind": row["kind"]}
                for error in condor_errors(piece, surface)
            ]
    return pd.DataFrame(rows)


# --- VIX ----------------------------------------------------------------------------------------


def read_vix_calls(data: Path, history: History) -> pd.DataFrame:
    """Return the usable VIX calls with forward, tenor, vol and delta."""
    calls = pd.read_csv(data / "vix_option_chains" / "vix_calls_eod_2022_2024.csv.gz")
    is_usable = (calls["quote_ok"] == 1) & (calls["stale"] == 0)
    calls = calls[is_usable & (calls["below_future_intrinsic"] == 0)]
    vx = history.vx_settlements()
    settles = pd.DataFrame(
        {
            "quote_date": vx.trade_date.astype(str),
            "expiration": vx.contract_expiry.astype(str),
            "future": vx.settle,
        }
    )
    calls = calls.merge(settles, on=["quote_date", "expiration"])
    days = {day: date.fromisoformat(day) for day in calls["quote_date"].unique()}
    vvix = {day: history.daily("VVIX").close_on(value) for day, value in days.items()}
    rate = {day: history.rate_on(value) for day, value in days.items()}
    settled = pd.to_datetime(calls["expiration"]) + pd.Timedelta(hours=9.5)
    quoted = pd.to_datetime(calls["quote_date"]) + pd.Timedelta(hours=16.25)
    calls["t_years"] = (settled - quoted).dt.total_seconds() / 86400 / 365
    calls["days"] = calls["t_years"] * 365
    calls["vvix"] = calls["quote_date"].map(vvix).astype(float)
    calls["discount"] = np.exp(-calls["quote_date"].map(rate) * calls["t_years"])
    calls["mid"] = (calls["bid"] + calls["ask"]) / 2
    calls = calls[(calls["days"] > 4) & calls["vvix"].notna()]
    found = implied_vol(
        calls["mid"].to_numpy(),
        calls["future"].to_numpy(),
        calls["strike"].to_numpy(dtype=float),
        calls["t_years"].to_numpy(),
        calls["discount"].to_numpy(),
        np.ones(len(calls), dtype=bool),
    )
    calls = calls[found.ok].assign(vol=found.vol[found.ok])
    deviation = calls["vol"] * np.sqrt(calls["t_years"])
    calls["delta"] = ndtr(np.log(calls["future"] / calls["strike"]) / deviation + deviation / 2)
    return calls[(calls["delta"] > 0.02) & (calls["delta"] < 0.9) & (calls["vol"] < 4.0)]


def vix_model_values(calls: pd.DataFrame, shape: VixShape) -> np.ndarray:
    """Return the model's value of each call."""
    values = np.empty(len(calls))
    row_of = np.arange(len(calls))
    for vvix, rows in pd.Series(row_of).groupby(calls["vvix"].to_numpy()):
        own = calls.iloc[rows.to_numpy()]
        futures = own["future"].to_numpy()
        smiles = vix_smiles(futures, own["t_years"].to_numpy(), float(vvix), shape)
        both = vix_option_values(
            smiles,
            np.arange(len(own)),
            futures,
            own["strike"].to_numpy(dtype=float),
            own["discount"].to_numpy(),
        )
        values[rows.to_numpy()] = both[:, 1]
    return values


def measure_vix(data: Path, history: History) -> pd.DataFrame:
    """Return one row a call of 10 to 30 delta with its relative price error."""
    calls = read_vix_calls(data, history)
    calls = calls.assign(error=vix_model_values(calls, FITTED_VIX_SHAPE) / calls["mid"] - 1.0)
    return calls[(calls["delta"] >= 0.10) & (calls["delta"] <= 0.30)]


# --- refitting ----------------------------------------------------------------------------------


def fit_spx(data: Path, history: History) -> dict[str, float]:
    """Return the constants of ``Shape`` but the crash's, fitted to the chains before 2023.

    First each expiry's own smile with the crash held fixed, then build-up curves through them.
    """
    rows = []
    for _, row in recorded_sessions(data).iterrows():
        session = date.fromisoformat(row["session"])
        levels = levels_on(history, session)
        if session >= TEST_FROM or levels is None:
            continue
        for piece in read_slices(data, row, history, (6.0, 400.0)):
            bend, tilt = _fit_slice(piece)
            if tilt < 0.95 * bend:
                rows.append((session, piece.days, levels.vix, levels.vvix, bend, tilt))
    table = pd.DataFrame(rows, columns=["session", "days", "vix", "vvix", "bend", "tilt"])
    count = table.groupby("session")["days"].transform("count").clip(lower=3)
    weight = np.sqrt(1.0 / count) * np.where(table["days"].between(20, 70), 1.5, 1.0)
    weight *= np.where(table["vix"] > 50, 0.5, 1.0)
    low, high = FITTED_SHAPE.vvix_calm, FITTED_SHAPE.vvix_excited
    excited = (np.log(table["vvix"] / low) / math.log(high / low)).clip(0.0, 1.0)

    def bend_error(x):
        build_up = x[1] + x[2] * np.log(table["vix"] / 20) + x[3] * np.log(table["vvix"] / 100)
        build_up = np.exp(build_up.clip(math.log(2), math.log(200)))
        model = x[0] + 0.5 * np.log(table["days"] / (table["days"] + build_up))
        return (model - np.log(table["bend"])) * weight

    def tilt_error(x):
        build_up = np.exp(x[1] + (x[2] - x[1]) * excited)
        model = x[0] + 0.5 * np.log(table["days"] / (table["days"] + build_up))
        return (model - np.log(table["tilt"])) * weight

    robust = {"loss": "soft_l1", "f_scale": 0.1}
    bend = least_squares(bend_error, [0.1, 2.7, 3.0, -5.0], **robust).x
    tilt = least_squares(tilt_error, [-0.2, 4.7, 3.1], **robust).x
    return {
        "bend_most": math.exp(bend[0]),
        "bend_days": math.exp(bend[1]),
        "bend_vix": bend[2],
        "bend_vvix": bend[3],
        "tilt_most": math.exp(tilt[0]),
        "tilt_days_calm": math.exp(tilt[1]),
        "tilt_days_excited": math.exp(tilt[2]),
    }


def _fit_slice(piece: ChainSlice) -> tuple[float, float]:
    """Return bend and tilt of one expiry's own smile, the crash as in ``FITTED_SHAPE``."""
    shape = FITTED_SHAPE
    weight = shape.crash_rate * piece.t_years
    fall = math.exp(shape.crash_mean)
    atm = piece.vol[np.abs(np.log(piece.strike / piece.forward)).argmin()]
    x = np.log(piece.strike / piece.forward) / (atm * math.sqrt(piece.t_years))
    wanted = np.concatenate([np.linspace(-8, -2.5, 8), np.linspace(-2.25, 2.5, 26)])
    usable = np.flatnonzero((piece.bid >= 0.1) & (x > -9) & (x < 2.6))
    rows = np.unique([usable[np.abs(x[usable] - point).argmin()] for point in wanted])
    own = ChainSlice(
        **{
            **{name: getattr(piece, name) for name in piece.__dataclass_fields__},
            **{
                name: getattr(piece, name)[rows]
                for name in ("strike", "is_call", "bid", "ask", "vol")
            },
        }
    )
    importance = np.where((x[rows] > -2.0) & (x[rows] < 1.6), 1.0, 0.25)
    scale = np.maximum(own.vega, 15.0 * (own.ask - own.bid) / 100.0)

    def error(parameters):
        theta, tilt_share, bend = np.exp(parameters[0]), _logistic(parameters[1]), parameters[2]
        psi = np.exp(bend) * np.sqrt(theta)
        smiles = SpxSmiles(
            core=Slices(
                theta=np.array([theta]), psi=np.array([psi]), chi=np.array([-tilt_share * psi])
            ),
            crash_weight=np.array([weight]),
            core_shift=np.array([(1 - weight * fall) / (1 - weight)]),
            crash_shift=fall,
            crash_total_variance=np.array([shape.crash_deviation**2 + theta]),
        )
        return (_values(own, smiles) - own.mid) / own.discount / scale * importance

    start = [math.log(atm**2 * piece.t_years), 0.5, math.log(0.9)]
    found = least_squares(error, start).x
    bend = math.exp(found[2])
    return bend, bend * _logistic(found[1])


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value))


def fit_vix(data: Path, history: History) -> dict[str, float]:
    """Return the constants of ``VixShape`` fitted to the calls before 2024."""
    calls = read_vix_calls(data, history)
    calls = calls[calls["quote_date"] < VIX_TEST_FROM.isoformat()]
    names = list(asdict(FITTED_VIX_SHAPE))
    weight = np.sqrt((calls["delta"] * (1.0 - calls["delta"])).clip(0.02, 0.25)).to_numpy()
    k = np.log(calls["strike"] / calls["future"]).to_numpy()
    t_years, futures = calls["t_years"].to_numpy(), calls["future"].to_numpy()
    vvix, vol = calls["vvix"].to_numpy(), calls["vol"].to_numpy()
    same_vvix = [(value, np.flatnonzero(vvix == value)) for value in np.unique(vvix)]

    def error(x):
        shape = VixShape(**dict(zip(names, x, strict=True)))
        model = np.empty(len(calls))
        for value, rows in same_vvix:
            smiles = vix_smiles(futures[rows], t_years[rows], float(value), shape)
            model[rows] = np.sqrt(total_variance(k[rows], smiles) / t_years[rows])
        return np.log(model / vol) * weight

    found = least_squares(error, list(asdict(FITTED_VIX_SHAPE).values())).x
    return dict(zip(names, found.tolist(), strict=True))


# --- report -------------------------------------------------------------------------------------


def _errors(values: pd.Series) -> dict[str, float]:
    return {
        "count": len(values),
        "median_abs": round(float(values.abs().median()), 4),
        "p90_abs": round(float(values.abs().quantile(0.9)), 4),
        "bias": round(float(values.median()), 4),
    }


def report(data: Path, history: History) -> dict:
    """Return every measured error."""
    condors = measure_spx(data, history)
    is_test = condors["session"] >= TEST_FROM
    calls = measure_vix(data, history)
    is_late = calls["quote_date"] >= VIX_TEST_FROM.isoformat()
    tenors = pd.cut(calls["days"], [4, 12, 20, 32, 50, 100])
    return {
        "spx_condor_credit": {
            "fit": _errors(condors[~is_test]["credit_error"]),
            "test": _errors(condors[is_test]["credit_error"]),
            "test_by_width": {
                str(width): _errors(own["credit_error"])
                for width, own in condors[is_test].groupby("width")
            },
        },
        "spx_short_strike_vol_points": {
            part: {
                "put": _errors(own["put_vol_error"]),
                "call": _errors(own["call_vol_error"]),
            }
            for part, own in (("fit", condors[~is_test]), ("test", condors[is_test]))
        },
        "spx_by_session": [
            {
                "session": str(session),
                "kind": own["kind"].iloc[0],
                "vix": own["vix"].iloc[0],
                "credit_error": _errors(own["credit_error"]),
                "put_vol_error": round(float(own["put_vol_error"].median()), 2),
                "call_vol_error": round(float(own["call_vol_error"].median()), 2),
            }
            for session, own in condors.groupby("session")
        ],
        "vix_call_price": {
            "fit": _errors(calls[~is_late]["error"]),
            "test": _errors(calls[is_late]["error"]),
            "test_by_days": {
                str(tenor): _errors(own["error"])
                for tenor, own in calls[is_late].groupby(tenors[is_late], observed=True)
            },
        },
    }


def main() -> None:
    """Print the report, or the refitted constants, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder of recorded chains")
    parser.add_argument("--fit", action="store_true", help="refit the constants and print them")
    arguments = parser.parse_args()
    data, history = find_data(arguments.data), History.bundled()
    if not data.is_dir():
        parser.error(f"no recorded chains in {data}; name them with --data or ALVH_SHARED_DATA")
    if arguments.fit:
        result = {"spx": fit_spx(data, history), "vix": fit_vix(data, history)}
    else:
        result = report(data, history)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
