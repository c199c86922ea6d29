"""How far VX futures move with spot VIX, estimated again from the bundled history, as JSON.

``python -m benchmarks.vx_beta`` prints; ``--write`` renews the table of ``docs/market.md``. Daily
changes of constant-maturity futures are regressed on those of VIX (rule book, section 1), over the
whole period and over a rolling year. The table that the bot uses by default was measured contract
by contract, see ``strategies/pricing/factor_vega.py``; this is how to tell whether it still holds.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np

from bot.history.store import History
from strategies.pricing.factor_beta import (
    BetaEstimate,
    TenorChanges,
    estimate_beta,
    rolling_beta,
    tenor_changes,
)
from strategies.pricing.factor_vega import future_beta

PAGE = Path(__file__).resolve().parents[1] / "docs" / "market.md"
TENORS = (15, 30, 45, 60, 90, 120, 180)
FIRST = np.datetime64("2013-01-01")
YEAR = 252  # changes of a rolling window
_BEGIN, _END = "<!-- vx_beta -->", "<!-- /vx_beta -->"


def changes(history: History) -> TenorChanges:
    """Return the daily changes of VIX and of futures of ``TENORS`` from 2013 on."""
    vix, settled = history.daily("VIX"), history.vx_settlements()
    since = vix.session >= FIRST
    return tenor_changes(
        vix.session[since],
        vix.close[since],
        settled.trade_date,
        settled.contract_expiry,
        settled.settle,
        TENORS,
    )


def table(whole: BetaEstimate, rolling: BetaEstimate) -> list[dict[str, float]]:
    """Return one row a tenor: estimate with its band, the range of a rolling year, what is used."""
    low, high = whole.band()
    least, most = np.nanpercentile(rolling.beta, [10, 90], axis=0)
    return [
        {
            "days": int(days),
            "beta": round(float(whole.beta[n]), 3),
            "low": round(float(low[n]), 3),
            "high": round(float(high[n]), 3),
            "r_squared": round(float(whole.r_squared[n]), 2),
            "changes": int(whole.days[n]),
            "rolling_p10": round(float(least[n]), 2),
            "rolling_p90": round(float(most[n]), 2),
            "rolling_last": round(float(rolling.beta[-1, n]), 2),
            "used": round(float(future_beta(days)), 2),
        }
        for n, days in enumerate(whole.tenor_days)
    ]


def lines(rows: list[dict[str, float]]) -> str:
    """Return the rows as a Markdown table."""
    head = (
        "| days | beta | 95 % | R2 | rolling year, 10 to 90 % | last year | used |",
        "|---|---|---|---|---|---|---|",
    )
    body = (
        f"| {row['days']} | {row['beta']:.2f} | {row['low']:.2f} to {row['high']:.2f} "
        f"| {row['r_squared']:.2f} | {row['rolling_p10']:.2f} to {row['rolling_p90']:.2f} "
        f"| {row['rolling_last']:.2f} | {row['used']:.2f} |"
        for row in rows
    )
    return "\n".join((*head, *body))


def main() -> None:
    """Print the estimate, and write it into the page with ``--write``."""
    moved = changes(History.bundled())
    _, rolling = rolling_beta(moved, YEAR, step=5)
    rows = table(estimate_beta(moved), rolling)
    period = f"{moved.session[0]} to {moved.session[-1]}"
    print(json.dumps({"benchmark": "vx_beta", "period": period, "tenors": rows}, indent=2))
    if "--write" in sys.argv[1:]:
        text = PAGE.read_text()
        new = f"{_BEGIN}\n{lines(rows)}\n{_END}"
        PAGE.write_text(re.sub(f"{_BEGIN}.*?{_END}", lambda _: new, text, flags=re.DOTALL))


if __name__ == "__main__":
    main()
