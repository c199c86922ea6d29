"""A configuration file, the environment and flags to one effective configuration.

Layers, the later ones winning: defaults, file, environment (``ALVH_BROKER__MARKET__FROM=...``),
flags (``--set broker.seed=9``). Nothing is read again while the bot runs (D1).
"""

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.app.config.documents import KeyPath, dotted, read_document
from bot.app.config.limits import load_limits
from bot.app.config.problems import ConfigInvalid, Place, Problem
from bot.app.config.schema import BotConfig
from bot.app.config.validation import Layers, Override, validate
from bot.app.config.watch import file_digest
from bot.approvals.overrides import OverridePolicy
from bot.engine.reconcile_policy import ReconcilePolicy
from strategies.model.encoding import encode
from strategies.model.limits import Limits
from strategies.model.rules import Rules

ENVIRONMENT_PREFIX = "ALVH_"
# Variables with the prefix that are no configuration values
RESERVED_VARIABLES = frozenset({"ALVH_CONFIG", "ALVH_STATE_DIR", "ALVH_SHARED_DATA"})
_LEVEL = "__"


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveValue:
    """One value in force and who said so."""

    key: str  # dotted
    value: str
    origin: str  # "default", "paper_config.yaml:14", "environment ALVH_X", "flag --set x"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedConfig:
    """Everything a run needs to know that a person decided."""

    path: Path
    label: str
    bot: BotConfig
    limits: Limits
    limits_path: Path
    text_hash: str  # SHA-256 of the file as it stands
    files: Mapping[Path, str]  # configuration and limits file, with the SHA-256 of their bytes
    config_hash: str  # SHA-256 of the canonical effective values and limits, secrets left out
    redacted_json: str  # the effective values and limits, secrets starred out
    values: tuple[EffectiveValue, ...]
    layers: Layers = field(repr=False)  # who wrote which value; holds secrets

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        return self.bot.rules

    @property
    def mode(self) -> str:
        """``simulated``, ``ib_paper`` or ``ib_live``."""
        section = self.bot.broker
        return section.kind

    @property
    def account(self) -> str:
        """The account the configuration names."""
        return self.bot.broker.account

    @property
    def override_policy(self) -> OverridePolicy:
        """Whose signed overrides are believed (D3)."""
        governance = self.bot.governance
        return OverridePolicy(
            account=self.account,
            keys=governance.keys,
            lifetime_max=timedelta(hours=governance.override_hours_max),
        )

    @property
    def reconcile_policy(self) -> ReconcilePolicy:
        """How ledger and broker are compared."""
        section = self.bot.reconcile
        return ReconcilePolicy(
            every=timedelta(minutes=section.minutes),
            repair=section.repair,
            cash_tolerance_usd=section.cash_tolerance_usd,
        )

    def refusal(self, key: KeyPath, message: str) -> ConfigInvalid:
        """Return what to raise about a value that is well formed and cannot be used."""
        place = self.layers.place_of(key)
        return ConfigInvalid([Problem(place=place, key=dotted(key), message=message)])

    def resolve(self, path: Path) -> Path:
        """Return a path of the configuration, which is relative to the configuration file."""
        return self.path.parent / path


def load_config(
    path: Path, *, environment: Mapping[str, str], flags: Sequence[str] = ()
) -> LoadedConfig:
    """Return the effective configuration of the file at ``path``.

    Args:
        path: The YAML file.
        environment: Environment variables; those with the ``ALVH_`` prefix count.
        flags: ``key.path=value`` texts, strongest of all.

    Raises: ConfigInvalid, or ConfigUnsafe where only safeguards stand in the way.
    """
    digests = {path: file_digest(path)}  # before it is read: a later edit is then seen as one
    document = read_document(path, label=path.name)
    layers = Layers(document=document)
    layers.apply(_environment_overrides(environment))
    layers.apply(_flag_override(flag) for flag in flags)
    bot = validate(BotConfig, layers)
    limits_path = path.parent / bot.limits
    digests[limits_path] = file_digest(limits_path)
    limits = _load_limits(limits_path, layers, bot)
    redacted = {"config": bot.model_dump(mode="json", by_alias=True), "limits": encode(limits)}
    return LoadedConfig(
        path=path,
        label=document.label,
        bot=bot,
        limits=limits,
        limits_path=limits_path,
        files={file: digest for file, digest in digests.items() if digest is not None},
        text_hash=hashlib.sha256(document.text.encode()).hexdigest(),
        config_hash=hashlib.sha256(_canonical(_without_secrets(redacted)).encode()).hexdigest(),
        redacted_json=_canonical(redacted),
        values=tuple(_effective_values(redacted["config"], layers)),
        layers=layers,
    )


def _load_limits(path: Path, layers: Layers, bot: BotConfig) -> Limits:
    if not path.is_file():
        place = layers.place_of(("limits",))
        message = f"no such file: {bot.limits} (looked in {path.parent.name or '.'}/)"
        raise ConfigInvalid([Problem(place=place, key="limits", message=message)])
    return load_limits(path, label=str(bot.limits))


def _environment_overrides(environment: Mapping[str, str]) -> list[Override]:
    overrides = []
    top_level = {entry.alias or name for name, entry in BotConfig.model_fields.items()}
    for variable, text in sorted(environment.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in RESERVED_VARIABLES:
            continue
        keys = tuple(variable.removeprefix(ENVIRONMENT_PREFIX).lower().split(_LEVEL))
        # Other programs may use the prefix too; what looks like a key of ours must be one
        if len(keys) > 1 or difflib.get_close_matches(keys[0], top_level, n=1, cutoff=0.75):
            place = Place(source=f"environment {variable}")
            overrides.append(Override(path=keys, text=text, place=place))
    return overrides


def _flag_override(flag: str) -> Override:
    key, equals, text = flag.partition("=")
    place = Place(source=f"flag --set {key}")  # the value may be a secret
    if not equals or not all(key.split(".")):
        message = "expected KEY=VALUE, such as broker.seed=9"
        raise ConfigInvalid([Problem(place=place, key="", message=message)])
    return Override(path=tuple(key.split(".")), text=text, place=place)


def _canonical(values: object) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def _without_secrets(values: Mapping[str, Any]) -> dict[str, Any]:
    broker = {key: item for key, item in values["config"]["broker"].items() if key != "arm_token"}
    return {**values, "config": {**values["config"], "broker": broker}}


def _effective_values(
    values: Mapping[str, Any] | list[Any], layers: Layers, path: KeyPath = ()
) -> list[EffectiveValue]:
    rows = []
    items = enumerate(values) if isinstance(values, list) else values.items()
    for key, value in items:
        here = (*path, key)
        if value and (isinstance(value, dict) or _is_blocks(value)):
            rows += _effective_values(value, layers, here)
            continue
        rows.append(
            EffectiveValue(key=dotted(here), value=_shown(value), origin=layers.origin(here))
        )
    return rows


def _is_blocks(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _shown(value: object) -> str:
    match value:
        case None:
            return ""
        case {}:
            return json.dumps(value)
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)
