"""The figures, excerpts and pictures of the README, made from real runs.

``python -m benchmarks.readme`` runs the shipped configuration, and May to July 2017 beside it, in a
folder of their own, and prints what they give as JSON. With ``--write`` it replaces what stands
between the markers of README.md, and the pictures in docs/pictures: say so after every change that
moves a fill. With ``--check`` it ends with 1 where README.md is out of date.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterable
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PICTURES = ("layers.svg", "pnl.svg")
CALM = ("--set", "broker.market.from=2017-05-01", "--set", "broker.market.to=2017-07-31")
SUMMARY_LINES = (
    "time",
    "decisions",
    "orders",
    "condors",
    "hedge fills",
    "net liq.",
    "P&L",
    "reconciled",
)
GATES = ("L1 passed  RSI", "L2 passed  back", "L2 FAILED  back", "G3", "B8")
WIDTH = 132
STOPS = """
SELECT count(*) AS stops, sum(realised_usd_micros) / 1e6 AS usd,
       sum(ended_at BETWEEN '2020-02-24' AND '2020-02-29') AS in_the_last_week
FROM condor_states
WHERE status = 'CLOSED'
  AND condor_id IN (SELECT condor_id FROM condor_closes WHERE note LIKE 'stop loss%')
"""
PROFIT = """
SELECT session, net_liquidation_usd_micros / 1e6 AS nlv, fees_usd_micros / 1e6 AS fees,
       (condor_realised_usd_micros + condor_unrealised_usd_micros) / 1e6 AS condors,
       (hedge_realised_usd_micros + hedge_unrealised_usd_micros) / 1e6 AS hedge
FROM daily_pnl ORDER BY session
"""
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


class Run:
    """One run of the shipped configuration in a state folder of its own."""

    def __init__(self, state_dir: Path, *settings: str) -> None:
        self.state_dir = state_dir
        self.summary = self.ask("run", *settings)

    def ask(self, *arguments: str) -> str:
        """Return what an alvh command prints, on 100 columns."""
        kept = {key: text for key, text in os.environ.items() if not key.startswith("ALVH_")}
        command = [sys.executable, "-m", "bot.app", *arguments, "--state-dir", self.state_dir]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**kept, "COLUMNS": "100", "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def rows(self, *audit: str) -> list[dict[str, str]]:
        """Return the rows of an audit table."""
        return json.loads(self.ask("audit", *audit, "--format", "json"))["rows"]

    def profit(self) -> list[dict[str, float]]:
        """Return profit and loss by session."""
        return [
            {name: text if name == "session" else float(text) for name, text in row.items()}
            for row in self.rows("sql", PROFIT)
        ]


def thousands(usd: float) -> str:
    """Return an amount without its sign, rounded to thousands."""
    return f"{abs(round(usd, -3)):,.0f}"


def percent(share: float) -> str:
    """Return a share in percent, as the documents write it."""
    return f"{100 * share:.0f} %"


def worded(count: float) -> str:
    """Return a small number as a word."""
    return NUMBERS[int(count)] if count < len(NUMBERS) else f"{count:.0f}"


def summary_block(run: Run) -> str:
    """Return the closing summary, shortened; what depends on the machine is left out."""
    kept = []
    for name in SUMMARY_LINES:
        found = re.search(rf"^ +{re.escape(name)}  .*$", run.summary, flags=re.MULTILINE)
        kept.append(found[0].rstrip())
    return "\n".join(["```text", *textwrap.dedent("\n".join(kept)).splitlines(), "```"])


def story_block(run: Run) -> str:
    """Return what became of condors and hedge, in words."""
    profit, stops = run.profit(), run.rows("sql", STOPS)[0]
    last, best = profit[-1], max(profit, key=lambda row: row["hedge"])
    assert last["nlv"] < 1e6 < 1e6 + last["hedge"], "another story; write it"
    day = date.fromisoformat(best["session"])
    share = -last["hedge"] / last["condors"]
    text = (
        f"**It ends {percent(1 - last['nlv'] / 1e6)} down**, and that is why it is shown. Condors "
        f"sold into a calm market reach their stops when the index falls through their strikes "
        f"({worded(float(stops['stops']))} stops, {worded(float(stops['in_the_last_week']))} of "
        f"them in the last week of February, cost {thousands(float(stops['usd']))} USD), and the "
        f"rebound of April runs over the calls of those sold at the lows. The hedge is "
        f"{thousands(best['hedge'])} USD ahead on {day.day} {day:%B} and keeps "
        f"{thousands(last['hedge'])}, {percent(share)} of what the condors lose. It does what "
        f"it is built for, and does not make the condors a good trade. Option prices, paths within "
        f"a day and fills are modelled: [market.md](docs/market.md) and [fills.md](docs/fills.md) "
        f"say how far off they are."
    )
    return "\n".join(textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False))


def why_block(run: Run) -> str:
    """Return the way back from the first purchase of L2 after the flip of 24 February."""
    flip = ("--since", "2020-02-24", "--until", "2020-02-25", "--rule", "B1", "--layer", "L2")
    bought = next(row for row in run.rows("fills", *flip) if row["side"] == "BUY")
    lines = [line.rstrip() for line in run.ask("audit", "why", bought["exec_id"]).splitlines()]
    gates = re.split(r"\n(?= {14,15}\S)", "\n".join(between(lines, "gates", "signals")))
    kept = [
        *between(lines, "fill ", "order "),
        *between(lines, "order ", "events"),
        *without_middle(between(lines, "decision ", "quotes"), "no_trade_reasons=", "missing="),
        *between(lines, "quotes", "gates"),
        gates[0].splitlines()[0],
        *(gate for gate in gates if gate.strip().startswith(GATES)),
        "              ...",
    ]
    return "\n".join(["```text", f"$ alvh audit why {bought['exec_id'][:12]}", *kept, "```"])


def without_middle(lines: list[str], first: str, last: str) -> list[str]:
    """Return the lines, those of one value cut down to where it begins and ends."""
    begin = next(n for n, line in enumerate(lines) if line.strip().startswith(first))
    end = next(n for n, line in enumerate(lines) if line.strip().startswith(last))
    if end - begin < 4:
        return lines
    return [*lines[: begin + 1], "              ...", *lines[end - 1 :]]


def between(lines: list[str], first: str, last: str) -> list[str]:
    """Return the lines from one that begins with ``first`` to before one with ``last``."""
    at = next(index for index, line in enumerate(lines) if line.strip().startswith(first))
    rest = lines[at + 1 :]
    end = next(index for index, line in enumerate(rest) if line.strip().startswith(last))
    return lines[at : at + 1 + end]


def calm_block(run: Run) -> str:
    """Return what the same rules make of a calm quarter."""
    last = run.profit()[-1]
    parts = {"condors": last["condors"], "hedge": last["hedge"], "fees": -last["fees"]}
    words = ", ".join(
        f"{name} {'+' if usd > 0 else '-'}{thousands(usd)}" for name, usd in parts.items()
    )
    change = last["nlv"] / 1e6 - 1
    text = (
        f"- **No claim of profit.** Three months are an illustration, not evidence. May to July "
        f"2017, calm and rising, end {percent(abs(change))} {'up' if change > 0 else 'down'}: "
        f"{words} USD."
    )
    return "\n".join(textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False))


def replaced(page: str, blocks: Iterable[tuple[str, str]]) -> str:
    """Return the page with the text between each pair of markers replaced."""
    for name, text in blocks:
        marked = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- end -->)", flags=re.DOTALL)
        assert marked.search(page), f"README.md has no markers for {name}"
        page = marked.sub(lambda found, text=text: found[1] + text + found[2], page)
    return page


def main() -> int:
    """Print, write or check."""
    with tempfile.TemporaryDirectory() as folder:
        shipped, calm = Run(Path(folder, "shipped")), Run(Path(folder, "calm"), *CALM)
        blocks = {
            "summary": summary_block(shipped),
            "story": story_block(shipped),
            "why": why_block(shipped),
            "calm": calm_block(calm),
        }
        page = replaced(README.read_text(), blocks.items())
        is_fresh = page == README.read_text()
        if "--check" in sys.argv[1:]:
            return 0 if is_fresh else 1
        if "--write" not in sys.argv[1:]:
            print(json.dumps({"is_fresh": is_fresh, **blocks}, indent=1))
            return 0
        README.write_text(page)
        reports = shipped.state_dir / "reports" / "simulated-DU0000001"
        for name in PICTURES:
            (ROOT / "docs" / "pictures" / name).write_text((reports / name).read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
