"""Reference data: currencies, instruments, fees and policy (INTERFACE, "Reference file")."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from monitor.exact import ONE, ZERO
from monitor.schema.base import Amount, Message, Millis, NonNegative, Positive, Rate
from monitor.schema.events import Mode
from monitor.schema.portfolio import PortfolioParameters

__all__ = [
    "BorrowTier",
    "Currency",
    "DiscountTier",
    "Fees",
    "Instrument",
    "InstrumentKind",
    "JumpGuard",
    "Level",
    "OptionParameters",
    "Policy",
    "PositionTier",
    "ReferenceFile",
]

InstrumentKind = Literal["spot", "swap", "future", "option"]


def _refuse(errors: list[str]) -> None:
    """Raise one error that names all of `errors`, if there are any."""
    if errors:
        raise ValueError("; ".join(errors))


class DiscountTier(Message):
    """CU-9: the slice up to `up_to` (coin or USD) counts at `rate`."""

    up_to: Positive
    rate: Rate


class BorrowTier(Message):
    """MM-1, BL-1: borrowing up to `up_to` coin carries these rates and allows this leverage."""

    up_to: Positive
    initial: Rate
    maintenance: Rate
    max_leverage: Positive | None = None


class PositionTier(Message):
    """MM-2: positions up to `up_to` contracts carry these rates and allow this leverage."""

    up_to: Positive
    initial: Rate
    maintenance: Rate
    max_leverage: Positive | None = None
    option_factor: NonNegative | None = None


_Tier = TypeVar("_Tier", DiscountTier, BorrowTier, PositionTier)


def _rising(tiers: tuple[_Tier, ...]) -> tuple[_Tier, ...]:
    """Refuse tiers whose upper bounds do not rise."""
    wrong = [
        f"{after.up_to} follows {before.up_to}"
        for before, after in pairwise(tiers)
        if after.up_to <= before.up_to
    ]
    if wrong:
        raise ValueError(f"up_to must rise from tier to tier, {', '.join(wrong)}")
    return tiers


class UtilisationPoint(Message):
    """BL-3: the yearly rate at one utilisation of the pool."""

    utilisation: Rate
    rate: NonNegative


class Currency(Message):
    """One currency; quotas, caps and pools in coin, rates as plain numbers."""

    discount_tiers: Annotated[tuple[DiscountTier, ...], AfterValidator(_rising)] = ()
    tier_unit: Literal["coin", "usd"] = "coin"
    minimum_rate: Rate = ZERO
    borrow_tiers: Annotated[tuple[BorrowTier, ...], AfterValidator(_rising)] = ()
    interest_free_quota: NonNegative = ZERO
    quota_adds_available_of: tuple[str, ...] = ()
    collateral: bool = True
    liquidity_rank: int = 1_000_000
    yearly_rate: NonNegative = ZERO
    next_yearly_rate: NonNegative | None = None
    lent_out: NonNegative | None = None
    utilisation_curve: tuple[UtilisationPoint, ...] = ()
    borrowable: bool = True
    platform_pool: NonNegative | None = None
    vip_caps: dict[str, NonNegative] = {}


class Instrument(Message):
    """One instrument; `lot` in contracts (base coin for spot), `tick` in quote currency."""

    kind: InstrumentKind
    family: str
    underlying: str
    quote: str
    settle: str | None = None
    inverse: bool = False
    contract_value: Positive = ONE
    multiplier: Positive = ONE
    lot: Positive
    tick: Positive
    position_tiers: Annotated[tuple[PositionTier, ...], AfterValidator(_rising)] = ()
    expiry: Millis | None = None
    strike: Positive | None = None
    option_type: Literal["call", "put"] | None = None
    funding_hours: int | None = None
    funding_rate: Amount | None = None
    next_funding_ts: Millis | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Instrument:
        if self.kind == "spot":
            return self
        errors = []
        named = f"an {self.kind}" if self.kind == "option" else f"a {self.kind}"
        expected = self.underlying if self.inverse else self.quote
        if self.settle is None:
            errors.append(f"settle: {named} needs its settle currency")
        elif self.kind != "option" and self.settle != expected:
            contract = "an inverse" if self.inverse else "a linear"
            errors.append(f"settle: {self.settle} given, {contract} contract settles in {expected}")
        if not self.position_tiers:
            errors.append(f"position_tiers: {named} needs at least one")
        if self.kind == "option":
            errors += [
                f"{label}: {named} needs it"
                for label in ("expiry", "strike", "option_type")
                if getattr(self, label) is None
            ]
            if self.settle not in (None, self.underlying, self.quote):
                errors.append(
                    f"settle: {self.settle} given, an option settles in {self.underlying} or "
                    f"{self.quote}"
                )
        _refuse(errors)
        return self


class Fees(Message):
    """MM-4: one fee schedule's taker rates."""

    spot_taker: Rate = Decimal("0.001")
    derivative_taker: Rate = Decimal("0.0005")


class JumpGuard(Message):
    """PX-6: hold a tick more than `percent` away until `confirm` consecutive ticks confirm it."""

    percent: Positive
    confirm: Annotated[int, Field(ge=1)] = 2


class OptionParameters(Message):
    """MM-3: what the margin of short options on one underlying is made of.

    `a` and `b` as shares; `c` in coin per coin (coin-margined) or of the index (USD-margined).
    """

    a: Rate = Decimal("0.1")
    b: Rate = Decimal("0.15")
    c: Rate


Level = Amount | dict[Mode | Literal["default"], Amount]
"""A level, or a level by mode with `default` for the modes not named."""

_LEVELS = ("warning", "warning_exit", "liquidation", "liquidation_exit")


class Policy(Message):
    """The settings of SPEC by their one name; an unknown name is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    warning: Level = Decimal(3)
    warning_exit: Level = Decimal("3.15")
    liquidation: Level = Decimal(1)
    liquidation_exit: Level = Decimal(1)
    worsened: tuple[Positive, ...] = (Decimal(2), Decimal("1.5"), Decimal("1.2"))
    confirm_seconds: Positive = Decimal(5)
    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    expire_seconds: Positive = Decimal(30)
    max_age_seconds: dict[str, Positive] = {"*": Decimal(10)}
    grace_seconds: NonNegative = ZERO
    time_scale: Positive = ONE
    jump_guard: dict[str, JumpGuard] = {}
    spot_cancel_scope: Literal["auto_borrow", "all"] = "auto_borrow"
    sale_order: Literal["lowest_rate_first", "highest_rate_first"] = "lowest_rate_first"
    tier_steps_down: Annotated[int, Field(ge=1, le=100)] = 2
    debt_size: Literal["tier_step", "smallest"] = "tier_step"
    takeover_at_first_tier: bool = False
    symbol_caps: dict[str, Positive] = {}
    """RD-6: USD of notional commanded per symbol and second; `*` serves the symbols not named."""
    suspension_ratio: NonNegative = Decimal("1.2")
    """OV-5: no borrowing at or below this ratio."""
    coin_check: Literal["margin_and_fee", "fee"] = "margin_and_fee"
    manual_margin_at_1x: bool = False
    anticipate_funding: bool = False
    interest_booking: Literal["monitor", "exchange"] = "monitor"
    recording_seconds: NonNegative = Decimal(60)
    deduction_seconds: Positive = Decimal(180)
    quota_covers: Literal["unrealised", "all"] = "unrealised"
    charge_when_off: bool = False
    """IN-2: charge the excess over the quota while auto-borrow is off, instead of converting only."""
    conversion_order: Literal["highest_rate_first", "lowest_rate_first"] = "highest_rate_first"
    portfolio_derivative_fee: bool = False
    """PM-5: in portfolio mode the liquidation fee covers derivatives too (MM-4), not borrowing only."""

    @model_validator(mode="after")
    def _consistent(self) -> Policy:
        errors: list[str] = []
        for mode in ("spot", "multi_currency", "portfolio"):
            warning, exit_, liquidation, liquidation_exit = (
                self.level(name, mode) for name in _LEVELS
            )
            if not exit_ >= warning > liquidation >= 1:
                errors.append(
                    f"levels of mode {mode}: warning_exit {exit_} ≥ warning {warning} > "
                    f"liquidation {liquidation} ≥ 1 does not hold"
                )
            if not warning > liquidation_exit >= liquidation:
                errors.append(
                    f"liquidation_exit {liquidation_exit} of mode {mode} must lie from "
                    f"liquidation {liquidation} to below warning {warning}"
                )
            if any(not warning > level > liquidation for level in self.worsened):
                errors.append(
                    f"worsened {[str(level) for level in self.worsened]} must lie between "
                    f"warning {warning} and liquidation {liquidation} of mode {mode}"
                )
        if any(a <= b for a, b in pairwise(self.worsened)):
            errors.append("worsened: the levels must fall from one to the next")
        if self.expire_seconds < self.confirm_seconds * self.attempts:
            errors.append(
                f"expire_seconds {self.expire_seconds} is less than attempts × confirm_seconds, "
                f"so the last attempt would be dead on arrival"
            )
        if self.deduction_seconds < self.recording_seconds:
            errors.append(
                f"deduction_seconds {self.deduction_seconds} lies before the end of the recording "
                f"window, {self.recording_seconds}"
            )
        if self.deduction_seconds > 3600:
            errors.append(
                f"deduction_seconds {self.deduction_seconds} lies beyond the next hour, 3600"
            )
        _refuse(errors)
        return self

    def level(self, name: str, mode: Mode | str) -> Decimal:
        """Return the level called `name` for `mode`."""
        value: Decimal | dict[str, Decimal] = getattr(self, name)
        if isinstance(value, dict):
            default: Decimal = type(self).model_fields[name].default
            return value.get(mode, value.get("default", default))
        return value


class ReferenceFile(Message):
    """The reference file as written: entries by name."""

    currencies: dict[str, Currency]
    instruments: dict[str, Instrument] = {}
    fees: dict[str, Fees] = {}
    policy: Policy = Policy()
    options: dict[str, OptionParameters] = {}
    """Underlying → parameters; BTC and ETH have defaults (MM-3)."""
    portfolio: tuple[PortfolioParameters, ...] = ()
    """PM: dated sets, the one valid at the prices' time counts."""
