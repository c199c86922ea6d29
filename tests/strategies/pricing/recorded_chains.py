"""Recorded option chains as the domain's own values."""

from datetime import date, time
from pathlib import Path

import numpy as np
import pandas as pd

from strategies.model.calendars import EXCHANGE_ZONE, at_exchange
from strategies.model.quotes import CALL, PUT, FutureQuote, OptionChain
from tests.builders import future, option_series

AFTER_CLOSE = time(16, 15)


def spx_sessions(folder: Path) -> list[tuple[date, time]]:
    """Sessions with quotes at or near their close or intraday, and when they were taken."""
    index = pd.read_csv(folder / "index.csv")
    sessions = []
    for row in index.itertuples():
        taken = str(row.captured_at_et)
        usable = row.two_sided_share > 0.5 and row.rows > 1000 and "overnight" not in row.kind
        if usable and row.kind.startswith("intraday"):
            sessions.append((date.fromisoformat(row.session), time.fromisoformat(taken[11:])))
        elif usable:
            sessions.append((date.fromisoformat(row.session), AFTER_CLOSE))
    return sessions


def read_chain(
    path: Path, underlying: str, session: date, taken: time, *, last_day: int = 200
) -> OptionChain:
    """Read one recorded chain: series 1 to ``last_day`` days out, strikes quoted on both rights."""
    table = pd.read_csv(path)
    if "root" not in table:
        table["root"] = "SPXW"
    if "dup_rank" in table:
        table = table[table["dup_rank"] == 0]
    table["expiry"] = pd.to_datetime(table["expiration"]).dt.date
    days = table["expiry"].map(lambda day: (day - session).days)
    table = table[(days >= 1) & (days <= last_day)]
    wide = table.pivot_table(
        index=["expiry", "root", "strike"], columns="type", values=["bid", "ask"], aggfunc="first"
    ).fillna(0.0)
    keys = wide.index.droplevel("strike").unique()
    at = at_exchange(session, taken)
    prices = {
        side: np.stack([wide[(side, "P")].to_numpy(), wide[(side, "C")].to_numpy()], axis=1)
        for side in ("bid", "ask")
    }
    assert (PUT, CALL) == (0, 1)
    number = {key: n for n, key in enumerate(keys)}
    return OptionChain(
        underlying=underlying,
        series=tuple(option_series(root, expiry) for expiry, root in keys),
        series_index=np.array([number[key[:2]] for key in wide.index], dtype=np.int64),
        strike=wide.index.get_level_values("strike").to_numpy(dtype=np.float64),
        bid=prices["bid"],
        ask=prices["ask"],
        quoted_at=at.astimezone(EXCHANGE_ZONE),
    )


def rate_on(shared: Path, session: date) -> float:
    """The three-month Treasury yield of the day, continuously compounded."""
    rates = pd.read_csv(shared / "macro" / "rates_daily.csv.gz", parse_dates=["date"])
    column = next(name for name in rates.columns if name.upper().endswith("3MO"))
    known = rates[rates["date"] <= pd.Timestamp(session)].dropna(subset=[column])
    return float(np.log1p(known[column].iloc[-1] / 100.0))


def vx_settlements(shared: Path, session: date) -> tuple[FutureQuote, ...]:
    """Monthly VX settlements of a session, as quotes one tick wide."""
    table = pd.read_csv(shared / "vx_futures_settlements.csv.gz")
    table = table[(table["trade_date"] == str(session)) & (table["contract_type"] == "monthly")]
    at = at_exchange(session, AFTER_CLOSE)
    return tuple(
        FutureQuote(
            contract=future(f"VX {date.fromisoformat(row.contract_expiry):%d%b%y}"),
            bid=row.settle - 0.025,
            ask=row.settle + 0.025,
            prior_settle=row.settle,
            last_trade_at=at,
            settles_at=at_exchange(date.fromisoformat(row.contract_expiry), time(9, 30)),
            quoted_at=at,
        )
        for row in table.itertuples()
    )
