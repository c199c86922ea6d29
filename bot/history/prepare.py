"""Rebuilds the bundled history from a folder of collected CSV files.

``python -m bot.history.prepare SOURCE_DIR`` writes one parquet file a series. Where the figures
come from, what was dropped and which defects remain is said in each file's own metadata (``source``
and ``note``, shown by ``alvh data list``) and at length in ``data/PROVENANCE.md``.
"""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bot.history.store import BUNDLED_FOLDER

# Vendor artefact: earlier SPX opens repeat the previous close.
_FIRST_TRUE_SPX_OPEN = pd.Timestamp("2008-01-01")
_SPURIOUS_EVENTS = frozenset({("2000-01-17", "cpi")})
_EVENT_KINDS = {"fomc_decision": "fomc", "cpi": "cpi", "ppi": "ppi"}
_NOT_TO_BE_PACKAGED = "bloomberg"
_DAILY_COLUMNS = ["date", "open", "high", "low", "close"]
# The index of a month is out by the 20th or so of the next; from the 1st after that it is safe
_MONTHS_TO_PUBLISH = 2


def prepare(source: Path, target: Path) -> None:
    """Write every bundled series from ``source`` into ``target``, replacing what is there.

    Args:
        source: Folder with the collected CSV files named below.
        target: Folder for ``<SERIES>.parquet``.
    """
    sessions = pd.to_datetime(_read(source, "spx_daily.csv")["date"])

    spx = _daily(source, "spx_daily.csv", sessions)
    spx.loc[spx["date"] < _FIRST_TRUE_SPX_OPEN, "open"] = None
    _write(
        target,
        "SPX",
        spx,
        source="Yahoo Finance ^GSPC",
        note="no opens before 2008: the vendor repeated the previous close",
    )
    _write(
        target,
        "VIX",
        _daily(source, "vix_daily.csv", sessions),
        source="Cboe VIX_History; Yahoo Finance from 2026-08",
        note="close only in 1990-91; no value on 4 sessions; 45 rows open outside high-low",
    )
    vvix = _read(source, "vvix_daily.csv")
    reliable = vvix.loc[vvix["reliable"] == 1, "date"]
    _write(
        target,
        "VVIX",
        _daily(source, "vvix_daily.csv", pd.to_datetime(reliable)),
        source="Cboe VVIX_History; open, high, low Yahoo Finance",
        note="2006 left out: gaps and impossible jumps",
    )
    _write(
        target,
        "VIX9D",
        _daily(source, "vix9d_daily.csv", sessions),
        source="Cboe VIX9D_History; Yahoo Finance from 2026-07-23",
        note="",
    )
    _write(
        target,
        "VIX3M",
        _daily(source, "vix3m_daily.csv", sessions),
        source="Cboe VIX3M_History; Yahoo Finance 2006-07-17 to 2009-09-17",
        note="two vendors differ by up to 0.5 on 8 % of days before 2009-09-18",
    )
    _write(
        target,
        "VIX6M",
        _daily(source, "vix6m_daily.csv", sessions),
        source="Cboe VIX6M_History; Yahoo Finance from 2026-04-27",
        note="high below low on 2019-07-05",
    )
    _write(
        target,
        "VX",
        _vx(source),
        source="CFE contract files to 2015-04-01, then CFE settlements through public copies",
        note="monthlies; no VX7+ after 2023-10-26; no final settlements after 2023-10",
    )
    _write(
        target,
        "EVENTS",
        _events(source),
        source="BLS release schedules; Federal Reserve calendars",
        note="scheduled only; the FOMC meeting of 2020-03-18, cancelled on 15 March, is absent",
    )
    _write(
        target,
        "RATE",
        _rate(source, sessions),
        source="FRED DGS3MO to 2026-05-21, then DFF",
        note="percent; bond holidays have no value",
    )
    _write(
        target,
        "BREADTH",
        _breadth(source, sessions),
        source="NYSE counts to 2015-11-11; NYSE ratio 2019-08-06 to 2026-02-27",
        note="2015-11-12 to 2019-08-05 and from 2026-06-18 a proxy of US listed shares",
    )
    _write(
        target,
        "SKEW",
        _closes(_read(source, "skew_daily.csv"), "close", sessions),
        source="Cboe SKEW_History",
        note="no value on 16 sessions, 8 of them 2000-09-20 to 2000-09-29",
    )
    _write(
        target,
        "COR1M",
        _daily(source, "cor1m_daily.csv", sessions),
        source="Cboe COR1M_History",
        note="",
    )
    credit, rates = _read(source, "macro/credit_daily.csv.gz"), _rates(source)
    spread = _closes(credit, "BAA10Y", sessions)
    _write(
        target,
        "BAA10Y",
        spread,
        source="FRED BAA10Y (Moody's Baa yield less 10-year Treasury)",
        note="percent; a day's value is published the next business day",
    )
    ten_year = _closes(rates, "ust10y_DGS10", sessions)
    _write(
        target,
        "DBAA",
        _combined(ten_year, spread, 1),
        source="FRED DGS10 plus BAA10Y, which is DBAA by definition",
        note="percent; a day's value is published the next business day",
    )
    _write(
        target,
        "T10Y3M",
        _combined(ten_year, _closes(rates, "tbill3m_cmt_DGS3MO", sessions), -1),
        source="FRED DGS10 less DGS3MO, which is T10Y3M by definition",
        note="percentage points; a day's value is published the next business day",
    )
    _write(
        target,
        "RBUSBIS",
        _real_exchange_rate(source, sessions),
        source="BIS real broad effective exchange rate of the dollar, through FRED RBUSBIS",
        note="monthly, 2020 = 100; dated the first session two months on, when it was out; revised",
    )


def _read(source: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(source / name)


def _daily(source: Path, name: str, keep: "pd.Series[pd.Timestamp]") -> pd.DataFrame:
    rows = _read(source, name)
    if "source" in rows:
        rows = rows[rows["source"] != _NOT_TO_BE_PACKAGED]
    rows = rows[_DAILY_COLUMNS].dropna(subset="close")
    rows["date"] = pd.to_datetime(rows["date"])
    bars = rows[["open", "high", "low", "close"]]
    is_out_of_order = (bars.min(axis=1) < rows["low"]) | (bars.max(axis=1) > rows["high"])
    rows["ohlc_ok"] = (~is_out_of_order).astype("int8")
    return rows[rows["date"].isin(keep)]


def _vx(source: Path) -> pd.DataFrame:
    rows = _read(source, "vx_futures_settlements.csv.gz")
    is_kept = (
        (rows["contract_type"] == "monthly")
        & (rows["nyse_session"] == 1)
        & (rows["source"] != _NOT_TO_BE_PACKAGED)
    )
    columns = ["trade_date", "contract_expiry", "settle", "open", "high", "low"]
    rows = rows.loc[is_kept, columns]
    for column in columns[:2]:
        rows[column] = pd.to_datetime(rows[column])
    return rows.sort_values(columns[:2])


def _events(source: Path) -> pd.DataFrame:
    rows = _read(source, "macro/us_event_calendar_2000_2027.csv")
    rows = rows[rows["event"].isin(list(_EVENT_KINDS))]
    is_spurious = [key in _SPURIOUS_EVENTS for key in zip(rows["date"], rows["event"], strict=True)]
    rows = rows.loc[[not spurious for spurious in is_spurious], ["date", "event", "time_et"]]
    rows["event"] = rows["event"].map(_EVENT_KINDS)
    rows["date"] = pd.to_datetime(rows["date"])
    return rows.sort_values(["date", "event"])


def _rates(source: Path) -> pd.DataFrame:
    return _read(source, "macro/rates_daily.csv.gz")


def _rate(source: Path, sessions: "pd.Series[pd.Timestamp]") -> pd.DataFrame:
    rows = _rates(source)
    rows["date"] = pd.to_datetime(rows["date"])
    bill = rows["tbill3m_cmt_DGS3MO"]
    # Fed funds follow the bill's last value; they never fill its bond holidays, because in 2008
    # the two were more than a percentage point apart.
    is_later = rows["date"] > rows.loc[bill.notna(), "date"].max()
    rows["close"] = bill.where(~is_later, rows["fed_funds_effective_DFF"])
    rows = rows[["date", "close"]].dropna()
    return rows[rows["date"].isin(sessions)]


def _breadth(source: Path, sessions: "pd.Series[pd.Timestamp]") -> pd.DataFrame:
    rows = _read(source, "nyse_advance_decline_daily.csv.gz")
    rows = rows[["date", "net_breadth"]].rename(columns={"net_breadth": "close"}).dropna()
    rows["date"] = pd.to_datetime(rows["date"])
    return rows[rows["date"].isin(sessions)]


def _closes(rows: pd.DataFrame, column: str, sessions: "pd.Series[pd.Timestamp]") -> pd.DataFrame:
    rows = rows[["date", column]].rename(columns={column: "close"}).dropna()
    rows["date"] = pd.to_datetime(rows["date"])
    return rows[rows["date"].isin(sessions)]


def _combined(left: pd.DataFrame, right: pd.DataFrame, sign: int) -> pd.DataFrame:
    rows = left.merge(right, on="date", suffixes=("", "_right"))
    rows["close"] = (rows["close"] + sign * rows["close_right"]).round(2)
    return rows[["date", "close"]]


def _real_exchange_rate(source: Path, sessions: "pd.Series[pd.Timestamp]") -> pd.DataFrame:
    rows = _read(source, "macro/macro_monthly.csv")
    rows = rows[["date", "REER_broad_RBUSBIS"]].set_axis(["date", "close"], axis=1).dropna()
    published = pd.to_datetime(rows["date"]) + pd.DateOffset(months=_MONTHS_TO_PUBLISH)
    rows["date"] = sessions.iloc[sessions.searchsorted(published)].to_numpy()
    return rows


def _write(target: Path, name: str, rows: pd.DataFrame, *, source: str, note: str) -> None:
    # NaN stays NaN and is not turned into null, so that columns are read without a conversion.
    table = pa.table({column: _to_arrow(rows[column]) for column in rows})
    table = table.replace_schema_metadata({"source": source, "note": note})
    target.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, target / f"{name}.parquet", compression="zstd", compression_level=19)


def _to_arrow(column: "pd.Series[Any]") -> pa.Array:
    if pd.api.types.is_datetime64_any_dtype(column):
        return pa.array(column.to_numpy().astype("datetime64[D]"))
    if pd.api.types.is_numeric_dtype(column):
        return pa.array(column.to_numpy(), from_pandas=False)
    return pa.array(column.tolist(), type=pa.string())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bot.history.prepare", description=__doc__)
    parser.add_argument("source", type=Path, help="folder with the collected CSV files")
    parser.add_argument("target", type=Path, nargs="?", default=BUNDLED_FOLDER)
    arguments = parser.parse_args()
    prepare(arguments.source, arguments.target)
