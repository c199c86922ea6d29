"""What one decision leaves for the next: latches, counters and rotations in progress."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


class Curve(StrEnum):
    """The shape of the VIX futures curve (R1)."""

    CONTANGO = "contango"
    FLAT = "flat"
    BACKWARDATION = "backwardation"
    UNKNOWN = "unknown"  # not yet seen, or no futures


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeMemory:
    """R: confirmed regimes and the evidence gathered for the next one."""

    curve: Curve = Curve.UNKNOWN  # as confirmed
    curve_since: date | None = None  # closes of before this day have been taken into account
    side: Curve = Curve.UNKNOWN  # of contango and backwardation the one that was confirmed last
    candidate: Curve = Curve.UNKNOWN  # what the last intervals said
    candidate_intervals: int = 0  # consecutive intervals it said so
    spike: bool = False  # R3
    shift: bool = False  # R4


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationMemory:
    """B: a flip or a restoration being carried out, in weights rather than in contracts."""

    l1_cut: float = 0.0  # share of L1's target now given to L2, 0 to B1's fraction
    flips_rotated: int = 0  # flips answered so far; B1 acts once a flip
    flipped_on: date | None = None  # session of the last one; B11 counts the closes from it on
    l1_cut_at_flip: float = 0.0  # what an earlier rotation had still cut when it came
    restoring_since: date | None = None  # B11: first session of the unwinding
    l1_cut_at_restore: float = 0.0  # l1_cut when B11 began
    steps_left: int = 0  # intervals of the flip being answered that are still to come
    l1_at_flip: tuple[tuple[str, int], ...] = ()  # L1 as the flip found it: (symbol, contracts)
    l1_weight_at_flip: float = 0.0  # its factor vega over -V_c, before anything was cut
    shifted: float = 0.0  # B3: share of L1 moved into L2 ahead of a flip, 0 or its fraction
    shifted_on: date | None = None  # session in which B3 asked for it last; B11 counts from it
    shifted_to: str = "L2"  # the layer that got it (T3)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoostMemory:
    """E, T1: how long a boost has been asked for without being let through."""

    asked_intervals: int = 0  # consecutive intervals in which S1 or S5 asked, until let through
    waited: bool = False  # T1 has made it wait its one interval
    in_force: bool = False  # it has been let through and is still asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The engine's whole memory. A value: the next decision gets it back unchanged."""

    session: date | None = None  # of the last decision
    rsi_vix_high: bool = False  # S1 latch
    regime: RegimeMemory = field(default_factory=RegimeMemory)
    rotation: RotationMemory = field(default_factory=RotationMemory)
    core_contracts: int = 0  # L1 contracts bought as the G2 core and still held
    condors_insured: tuple[str, ...] = ()  # ids of held condors whose G2 core has been decided
    condors_opened: int = 0  # serial number of the last condor id
    rolls: tuple[tuple[str, int], ...] = ()  # C10, C11: (root id, rolls asked for) of held condors
    roll_waits: tuple[tuple[str, int], ...] = ()  # (root id, intervals until it may be asked again)
    boost: BoostMemory = field(default_factory=BoostMemory)
    harvest_armed: bool = False  # B12: RSI(VIX) has been above its threshold since the last harvest
    # B12: (symbol, contracts to be left) of what an armed harvest and the multiple have asked for
    harvesting: tuple[tuple[str, int], ...] = ()
    halving: tuple[tuple[str, int], ...] = ()
    harvested: tuple[
        tuple[str, str], ...
    ] = ()  # B12: (symbol, day) of what the multiple has halved
    parity_used_on: date | None = None  # D4: session a parity edge last chose an instrument
