"""The configuration reference, written from the models that read a configuration.

``python -m bot.app.config.reference`` prints ``docs/configuration.md``, and a test compares the
two. Keys, defaults and bounds come from the schema, the rule declarations and the limits file;
only what the schema's own keys mean is said here, and a key without a meaning is an error.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import time
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import AfterValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from bot.app.config.execution import ExecutionSection, OrderClassSection
from bot.app.config.factor_values import FactorSection
from bot.app.config.limits import LimitsFile
from bot.app.config.loader import ENVIRONMENT_PREFIX, RESERVED_VARIABLES
from bot.app.config.protections import ProtectionsSection
from bot.app.config.schema import (
    BotConfig,
    GovernanceSection,
    HistorySection,
    IbLiveBrokerSection,
    IbPaperBrokerSection,
    IbShadowBrokerSection,
    LoggingSection,
    ReconcileSection,
    ReplayMarketSection,
    ScheduleSection,
    SeriesName,
    SimulatedBrokerSection,
    SyntheticMarketSection,
)
from bot.app.config.sections import Section
from bot.app.config.venue_values import FEES_SECTION, FILL_MODEL_SECTION
from bot.exchange.matching import FillModel
from strategies.model.fees import FeeSchedule
from strategies.model.rules import Rules

_GENERATED = (Rules, FeeSchedule, FillModel)
_HEADINGS = ("key", "meaning", "rule", "default", "bounds")
_REQUIRED = "**required**"


@dataclass(frozen=True, slots=True)
class _Words:
    """What a key means, the rule it serves, and bounds that no validator can spell."""

    what: str
    rule: str = ""
    bounds: str = ""


_IB_BROKER = {
    "host": _Words("where IB Gateway or TWS listens", bounds="a name or an address"),
    "client_id": _Words("client id of the connection that trades; market data takes the next one"),
    "market_data_lines": _Words("quotes your subscriptions allow at once ([ib.md](ib.md))"),
    "requests_per_second": _Words("the bot asks no faster; IB allows 50 and cuts off who does not"),
    "answer_seconds": _Words("how long an answer may take before the connection counts as lost"),
    "restarts_at": _Words(
        "when the gateway restarts at night: 5 minutes about it nothing is sent; empty: never"
    ),
    "delayed_data": _Words("what to do where IB offers delayed quotes only"),
}
_PAPER_PORT = _Words(
    "its port: 4002 is IB Gateway's, 7497 TWS's", bounds="1 .. 65,535 but 4001 and 7496"
)
_EXCHANGE = {
    "starting_cash_usd": _Words("the deposit a new account begins with"),
    "seed": _Words("of paths and fills: same seed, same world, same fills"),
    "margin": _Words("the margin convention the exchange asks ([market.md](market.md))"),
}
_FOUR_AMOUNTS = "four of 0 .. 100"
_LEAST_AND_MOST = "least, most, of 1 .. 100,000"
_DATES = {
    "from": _Words(
        "first day; the first session on or after it", bounds="a date from 1990 to 2099"
    ),
    "to": _Words("last day", bounds="a date, not before `from`"),
}
_THRESHOLD = "a number; none: it never votes so"
_MEANINGS: Mapping[type[Section], Mapping[str, _Words]] = {
    BotConfig: {
        "name": _Words("a name for you; runs and logs show it", bounds="1 to 40 characters"),
        "limits": _Words("the limits file, relative to this file", bounds="a path"),
        "calendar_overrides": _Words(
            "a CSV of closures and early closes ([data.md](data.md#trading-calendar)), relative to "
            "this file",
            bounds="a path",
        ),
    },
    SimulatedBrokerSection: {
        "kind": _Words("the exchange inside the program"),
        "transport": _Words(
            "`wire`: through a simulated IB Gateway inside the program and the real ib_insync; "
            "`in_process`: straight, for the same fills in a third of the time"
        ),
        "market_data_lines": _Words(
            "quotes that `wire` lets the bot see at once, to rehearse a login's limit; none: all "
            "([ib.md](ib.md#what-100-lines-see))",
            bounds="40 .. 10,000",
        ),
        "account": _Words("names the database under `var/`", bounds="DU and 3 to 10 digits"),
        **_EXCHANGE,
    },
    FEES_SECTION: {
        "as_of": _Words("when these fees were looked up", bounds="text"),
        "option_commission": _Words("broker, options at a premium of 0.10 and more"),
        "option_commission_low": _Words("... of 0.05 to 0.10"),
        "option_commission_lowest": _Words("... under 0.05"),
        "option_minimum_per_order": _Words("least commission of an option order"),
        "spx_exchange": _Words("Cboe, SPX and SPXW at a premium of 1 and more"),
        "spx_exchange_low": _Words("... under 1"),
        "vix_exchange_simple": _Words(
            "Cboe, VIX options at premiums to 0.10, 0.99, 1.99 and above", bounds=_FOUR_AMOUNTS
        ),
        "vix_exchange_complex": _Words("... as legs of a combo", bounds=_FOUR_AMOUNTS),
        "orf": _Words("options regulatory fee"),
        "occ": _Words("options clearing"),
        "vx_commission": _Words("broker, VX"),
        "vx_exchange": _Words("CFE, VX"),
        "vxm_commission": _Words("broker, VXM"),
        "vxm_exchange": _Words("CFE, VXM"),
        "futures_regulatory": _Words("NFA, futures"),
    },
    FILL_MODEL_SECTION: {
        "probability_max": _Words(
            "chance of a fill each ten seconds just short of the offer; 0: only at the offer"
        ),
        "combo_width": _Words("a combo's half spread over the sum of its legs' half spreads"),
        "spx_option_packages": _Words("SPX options shown at once", bounds=_LEAST_AND_MOST),
        "vix_option_packages": _Words("VIX options shown at once", bounds=_LEAST_AND_MOST),
        "future_packages": _Words("futures shown at once", bounds=_LEAST_AND_MOST),
    },
    ReplayMarketSection: {"kind": _Words("real sessions of the history"), **_DATES},
    SyntheticMarketSection: {"kind": _Words("an invented world on real dates"), **_DATES},
    IbPaperBrokerSection: {
        "kind": _Words("a paper account at Interactive Brokers"),
        "account": _Words("the account", bounds="DU and digits"),
        "port": _PAPER_PORT,
        **_IB_BROKER,
    },
    IbShadowBrokerSection: {
        "kind": _Words("quotes of Interactive Brokers, orders on the exchange inside the program"),
        "account": _Words("the paper account whose quotes are read", bounds="DU and digits"),
        "port": _PAPER_PORT,
        **_IB_BROKER,
        **_EXCHANGE,
    },
    IbLiveBrokerSection: {
        "kind": _Words("a live account at Interactive Brokers"),
        "account": _Words("the account", bounds="U and digits"),
        "port": _Words("its port: 4001 is IB Gateway's, 7496 TWS's"),
        "confirmation": _Words(
            "the sentence that says you mean it", bounds='"this account trades real money"'
        ),
        "arm_token": _Words("a secret: from the environment only", bounds="never in a file"),
        **_IB_BROKER,
    },
    ScheduleSection: {
        "entries": _Words(
            "weekdays by name and the time when condors may be entered",
            "C1",
            "mon .. fri, at the time of an interval",
        ),
        "interval_minutes": _Words(
            "how often book and hedge are looked at",
            bounds="1 .. 390, dividing 60 or a multiple of 5",
        ),
        "first_interval": _Words("the first look of a session", bounds="after 09:30"),
        "last_interval": _Words("the last look of a session", bounds="before 16:15"),
        "end_of_day": _Words("when the day is booked and reconciled", bounds="after 16:15"),
    },
    ExecutionSection: {
        "walk_seconds": _Words("how long an order may walk from mid toward the natural price"),
        "walk_step_seconds": _Words("how often its price is looked at; at most `walk_seconds`"),
        "quote_width_max": _Words("a leg wider than so much of its mid is not priced ..."),
        "quote_width_floor": _Words("... unless it is no wider than so many index points"),
        "withdraw_before_close_seconds": _Words(
            "how long before its market closes an order is withdrawn"
        ),
        "no_opens_before_close_minutes": _Words("how long before the close nothing opens any more"),
    },
    OrderClassSection: {
        "walk_seconds": _Words("its own `walk_seconds`; none: as for all", bounds="10 .. 600"),
        "walk_step_seconds": _Words(
            "its own `walk_step_seconds`; none: as for all", bounds="10 .. 600"
        ),
        "slippage_fraction": _Words("most it gives away, of the way from mid to natural"),
        "slippage_points": _Words(
            "most it gives away, index points; none: no such bound", bounds="0 .. 100"
        ),
    },
    ReconcileSection: {
        "minutes": _Words("how often everything is compared with the broker, at a look"),
        "repair": _Words("whether orders that mend a broken condor are sent or only named"),
        "cash_tolerance_usd": _Words("difference in cash that is no break"),
    },
    HistorySection: {
        "overrides": _Words(
            "one file a series, by name ([data.md](data.md)), relative to this file",
            "S",
            ", ".join(get_args(SeriesName)),
        ),
    },
    FactorSection: {
        "name": _Words(
            "what votes and plans call it; `reit` is the panel's REIT stress",
            "E",
            "letters, digits and _, each once",
        ),
        "source": _Words("where its observations come from ([data.md](data.md#factor-feeds))", "E"),
        "series": _Words(
            "`csv`, `parquet`: a file; `fred`: a file as FRED serves it, or a bundled FRED series; "
            "`ib`: what the broker supplies",
            "E",
            "a path relative to this file, or a name",
        ),
        "transform": _Words("what of it is compared with the thresholds", "E"),
        "window": _Words("observations of `change`, `zscore` and `percentile`", "E"),
        "fear_above": _Words("votes fear above", "E", _THRESHOLD),
        "fear_below": _Words("votes fear below", "E", _THRESHOLD),
        "technical_above": _Words("votes technical above", "E", _THRESHOLD),
        "technical_below": _Words("votes technical below", "E", _THRESHOLD),
        "weight": _Words("its weight in the mean of the votes", "E"),
        "max_age": _Words(
            "calendar days the newest observation may be old, and the longest gap in the file", "E"
        ),
        "lag": _Words("weekdays from an observation's date to the day it is published", "E"),
    },
    GovernanceSection: {
        "keys": _Words(
            "public keys of those who may sign overrides, by name: `alice: <base64>`",
            "D3",
            "Ed25519; `alvh keys new` prints one",
        ),
        "override_hours_max": _Words("the longest an override may last, hours", "D3"),
    },
    ProtectionsSection: {
        "daily_loss_fraction": _Words(
            "a day that has lost so much of what it began with opens no condor any more; 0 = off"
        ),
        "drawdown_fraction": _Words(
            "so far below the highest net liquidation of `drawdown_days` no condor opens; 0 = off"
        ),
        "drawdown_days": _Words("calendar days over which that highest counts"),
        "orders_per_minute": _Words("more stop everything that opens, until `alvh resume`", "I16"),
        "cancels_per_day": _Words("more stop everything that opens, until `alvh resume`", "I16"),
        "rejects_in_a_row": _Words("orders the broker refused, one after the other, before a lock"),
        "rejects_per_hour": _Words("orders the broker refused within an hour before a lock"),
        "reject_lock_minutes": _Words("how long that lock holds"),
        "skips_in_a_row": _Words("intervals without a usable market before nothing opens"),
        "data_age_minutes": _Words(
            "minutes since the last usable market before nothing opens; three intervals at least"
        ),
        "clock_skew_seconds": _Words("how far the broker's clock may be from ours"),
        "margin_floor_fraction": _Words(
            "excess liquidity below this part of net liquidation: REDUCE_ONLY; 0 = off"
        ),
        "heartbeat_seconds": _Words("how often broker and heartbeat file are attended to"),
        "answer_seconds": _Words(
            "how long a sign of life may take; at least `broker.answer_seconds` and 45 more"
        ),
        "hung_minutes": _Words("a job that takes longer hangs: nothing opens, orders withdrawn"),
        "blind_minutes": _Words("minutes without a broker before somebody is called"),
        "page_again_minutes": _Words("how often somebody is called while a trouble lasts"),
        "reset_from": _Words("begin of the broker's nightly restart, in which nobody is called"),
        "reset_to": _Words("its end"),
        "operator_silence_hours": _Words(
            "without a command or `alvh status --ack` for so long nothing opens; empty = off"
        ),
    },
    LoggingSection: {"level": _Words("the least that goes to the log file")},
    LimitsFile: {
        "condor_max_loss_usd": _Words("worst loss of one condor position"),
        "total_max_loss_usd": _Words("worst loss of all condors and opening orders at work"),
        "condors_max": _Words("condor contracts, open and at work"),
        "hedge_contracts_max": _Words("contracts of one VIX instrument, purchases at work filled"),
        "futures_contracts_max": _Words("VX futures over all layers; ten VXM count as one"),
        "order_premium_usd_max": _Words("premium one hedge order may pay"),
        "orders_per_day_max": _Words("orders sent in one session; closing orders go on beyond"),
        "orders_per_minute_max": _Words("orders sent within a minute; closing orders go on beyond"),
        "opens_per_day_max": _Words("condors begun in one session"),
        "cancels_per_day_max": _Words("cancels in one session, beyond which nothing opens"),
        "attempts_per_purpose_max": _Words("prices tried for one opening order of a plan"),
        "turnover_usd_per_day_max": _Words(
            "price x multiplier x contracts of all fills in one session and the order in question"
        ),
        "active_orders_per_side_max": _Words("orders at work in one contract and side"),
        "price_collar_fraction": _Words("how far from mid a limit price may be, of the mid ..."),
        "price_collar_points": _Words("... or in index points, whichever is wider"),
        "futures_through_market_fraction": _Words(
            "how far a future's limit may go through the far side of the market, of that side"
        ),
        "quote_age_seconds_max": _Words("older quotes are not traded on"),
        "margin_required": _Words("whether nothing opens without the broker's what-if"),
        "margin_headroom_fraction": _Words(
            "excess liquidity left once an order has filled, of net liquidation"
        ),
    },
}


def configuration_page() -> str:
    """Return ``docs/configuration.md``: every key with meaning, rule, default and bounds."""
    reserved = ", ".join(f"`{name}`" for name in sorted(RESERVED_VARIABLES))
    parts = [
        _INTRODUCTION.format(prefix=ENVIRONMENT_PREFIX, reserved=reserved),
        "## Top level",
        _table(BotConfig, ""),
        "## `broker`",
        _BROKER,
        "### `kind: simulated`",
        _table(SimulatedBrokerSection, "broker."),
        _VENUE,
        _table(FEES_SECTION, "broker.fees."),
        "`broker.fill_model`:",
        _table(FILL_MODEL_SECTION, "broker.fill_model."),
        "`broker.market` with `kind: replay`:",
        _table(ReplayMarketSection, "broker.market."),
        "`broker.market` with `kind: synthetic`:",
        _table(SyntheticMarketSection, "broker.market."),
        "### `kind: ib_paper`",
        _IB_PAPER,
        _table(IbPaperBrokerSection, "broker."),
        "### `kind: ib_shadow`",
        _IB_SHADOW,
        _table(IbShadowBrokerSection, "broker."),
        "### `kind: ib_live`",
        _IB_LIVE,
        _table(IbLiveBrokerSection, "broker."),
        "## `schedule`",
        _SCHEDULE,
        _table(ScheduleSection, "schedule."),
        "## `execution`",
        _table(ExecutionSection, "execution."),
        _CLASSES,
        _table(OrderClassSection, "execution.classes.<class>."),
        "## `rules`",
        _RULES,
        *_rule_tables(),
        "## `history`",
        _table(HistorySection, "history."),
        "## `protections`",
        _table(ProtectionsSection, "protections."),
        "## `logging`",
        _table(LoggingSection, "logging."),
        "## `governance`",
        _table(GovernanceSection, "governance."),
        "## The limits file",
        _LIMITS,
        _table(LimitsFile, ""),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _rule_tables() -> Iterator[str]:
    for group, kind in get_type_hints(Rules).items():
        yield f"### `rules.{group}`"
        yield _markdown(
            (
                f"`rules.{group}.{entry.name}`",
                entry.metadata["what"],
                entry.metadata["rule"],
                _shown(entry.default),
                _rule_bounds(entry.metadata, entry.default),
            )
            for entry in fields(kind)
            if "rule" in entry.metadata
        )
        if group == "panel":
            yield _FACTORS
            yield _table(FactorSection, "rules.panel.factors[].")


def _rule_bounds(metadata: Mapping[str, Any], default: object) -> str:
    if metadata["choices"]:
        return ", ".join(metadata["choices"])
    if isinstance(default, bool):
        return "true, false"
    return f"{metadata['low']:g} .. {metadata['high']:g}"


def _table(section: type[Section], prefix: str) -> str:
    """Return the table of a section's own keys; sections inside it have tables of their own."""
    entries = {
        entry.alias or name: entry
        for name, entry in section.model_fields.items()
        if not _is_section(entry)
    }
    meanings = _MEANINGS[section]
    assert entries.keys() == meanings.keys(), f"{section.__name__}: {entries.keys()} need meanings"
    return _markdown(
        (
            f"`{prefix}{key}`",
            words.what,
            words.rule,
            _REQUIRED if entries[key].is_required() else _shown(_default(entries[key])),
            words.bounds or _bounds(entries[key]),
        )
        for key, words in meanings.items()
    )


def _default(entry: FieldInfo) -> object:
    return entry.get_default(call_default_factory=True, validated_data={})


def _is_section(entry: FieldInfo) -> bool:
    kinds = get_args(entry.annotation) or (entry.annotation,)
    return any(
        kind in _GENERATED or (isinstance(kind, type) and issubclass(kind, Section))
        for kind in kinds
    )


def _bounds(entry: FieldInfo) -> str:
    """Return a value's bounds as its refusal would spell them."""
    if get_origin(entry.annotation) is Literal:
        return ", ".join(map(str, get_args(entry.annotation)))
    for validator in entry.metadata:
        if isinstance(validator, AfterValidator):
            check: Any = validator.func
            for outside in (float("-inf"), float("inf")):
                try:
                    check(outside)
                except PydanticCustomError as refusal:
                    if refusal.type == "bounds":
                        return refusal.message().partition(" is outside ")[2]
    return ""


def _shown(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case None | {}:
            return "none"
        case time():
            return f"{value:%H:%M}"
        case "":
            return "empty"
        case tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def _markdown(rows: Iterable[tuple[str, ...]]) -> str:
    lines = [_HEADINGS, ("---",) * len(_HEADINGS), *rows]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


_INTRODUCTION = """
# Configuration

Every key of a configuration file and of the limits file. This page is written by
`python -m bot.app.config.reference` from the code that reads them, and a test fails when the two
differ.

A configuration is YAML. `paper_config.yaml` of the current folder is used unless `--config FILE`
names another. Built-in defaults < file < environment < flags, the later ones winning:

```sh
alvh run --config paper_config.yaml
{prefix}BROKER__SEED=9 alvh run                 # two underscores join a key's levels
alvh run --set broker.market.to=2020-02-28   # may be repeated
alvh check --show-origin                     # every value in force and who said so
```

{reserved} are no values: they name the configuration file, the folder of
recorded data that tests read, and the state folder.

Everything is checked before anything is connected or traded. An unknown or doubled key, a value of
the wrong kind or outside its bounds ends the command with exit code 2 and says where:

```text
paper_config.yaml:46:5: rules.condor.short_dleta: unknown key; did you mean 'short_delta'?
   46 |     short_dleta: 0.16            # C3, 0.15 .. 0.20, absolute delta of both shorts
      |     ^
```

A file is read once, when a command starts. Each run stores the effective values and their hash,
secrets left out (`alvh audit runs`), and each decision the hash of the rules it was made by.
Changing `rules` between two runs of one database is allowed and visible there; changing the
simulated world (`broker`) under a database is refused, see [operating.md](operating.md).

Times of day are New York time, money is in US dollars, bounds are inclusive.
"""

_BROKER = """
`kind` decides which keys apply.
"""

_CLASSES = """
Each class of orders may walk in its own way: `condor_entry` (opens and rolls), `condor_exit` (the
profit target), `condor_stop` (every other close), `hedge_add`, `hedge_reduce` and `hedge_urgent`
(reductions that G6 or G8 ask for, and other urgent ones).
"""

_IB_PAPER = """
How to set up IB Gateway or TWS for it is said in [ib.md](ib.md).
"""

_IB_SHADOW = """
Nothing is ever sent to Interactive Brokers but questions. `fees` and `fill_model` are those of
`simulated`.
"""

_IB_LIVE = """
This version does not trade real money: the file is checked like any, and then `alvh run` stops with
exit code 2.
"""

_VENUE = """
Every key of `fees` and `fill_model` is optional. What the defaults of `broker.fees` rest on is said
in [market.md](market.md#contract-terms-fees-and-margin), what the fill model does in
[fills.md](fills.md). They are part of the world: an account that has traded keeps them. Fees are in
USD a contract.
"""

_SCHEDULE = """
On trading days only. Intervals are at `first_interval`, then every `interval_minutes` up to
`last_interval`, and `entries` must fall on one of them. On an early close those at or after the
close are skipped.
"""

_RULES = """
What the rules do is said in [rules.md](rules.md). Besides the bounds of each value, these must stay
in order: `min_dte` <= `target_dte` <= `max_dte`, `time_exit_dte` < `min_dte`,
`min_net_vega` < `max_net_vega`, `macd_fast` < `macd_slow`, `basis_fast` < `basis_slow`,
`rsi_vix_low` < `rsi_vix_reset` < `rsi_vix_high`, `l1_max_days` < `l2_max_days` < `l3_max_days`,
`call_delta_low` < `call_delta_high`, `band_low` < `band_high`, `cost_soft` <= `cost_hard`,
`time_exit_dte` < `min_roll_dte`, `positive_min_net_vega` < `positive_max_net_vega`,
`event_scale_low` < `event_scale_high`, `theta_window_last` < `theta_window_first`,
`signals.rsi_vix_high` <= `rotation.harvest_rsi`. A `bias` of `positive` or `neutral` needs `wings`
other than `one_by_one`: a condor of one expiry with as many longs as shorts can never be
vega-positive.
"""

_FACTORS = """
`rules.panel.factors` is a list, empty by default, with one block a factor feed:

```yaml
rules:
  panel:
    factors:
      - name: corporate_yield
        source: fred
        series: DBAA
        transform: zscore
        fear_above: 1.0
        technical_below: -1.0
        lag: 1
```

Every block needs one of the four thresholds, and no value may be asked to vote both ways.
"""

_LIMITS = """
Hard limits of the risk gate, in a file of their own that the configuration names. No rule can read
or change them, and none has a default: a limit that nobody wrote down is no limit. Environment and
flags do not reach them.
"""


def main() -> None:
    """Print the page."""
    sys.stdout.write(configuration_page())


if __name__ == "__main__":
    main()
