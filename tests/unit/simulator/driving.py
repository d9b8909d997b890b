"""Seeded histories for the exchange: accounts of every kind, and whatever may happen to them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from monitor.exact import plain
from streams.simulator import wire
from streams.simulator.activity import Activity
from tests.unit.simulator.venue import CALL, PUT, T0, Venue, apart, limit_order

LEGS = st.tuples(
    st.sampled_from(["BTC-USDT-SWAP", "BTC-USD-SWAP"]),
    st.sampled_from(["long", "short"]),
    st.integers(1, 400),
    st.integers(40_000, 60_000),
)
OPTIONS = st.tuples(
    st.sampled_from([CALL, PUT]),
    st.sampled_from(["long", "short"]),
    st.integers(1, 40),
    st.sampled_from(["0.01", "0.025"]),
)
OWN = st.tuples(
    st.sampled_from(["BTC-USDT", "BTC-USDT-SWAP", "BTC-USD-SWAP"]),
    st.sampled_from(["long", "short"]),
    st.integers(1, 400),
    st.integers(40_000, 60_000),
)
"""Isolated positions; of a margin position the quantity is in thousandths of a coin."""
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("price"), st.integers(30_000, 70_000)),
        st.tuples(st.just("close"), st.integers(1, 300)),
        st.tuples(st.just("sell"), st.integers(1, 100)),
        st.tuples(st.just("takeover"), st.integers(10_000, 90_000)),
        st.tuples(st.sampled_from(["own close", "own takeover"]), st.integers(1, 90_000)),
        st.tuples(st.sampled_from(["margin", "interest", "told late"]), st.integers(-50, 300)),
        st.tuples(st.just("cancel"), st.integers(0, 5)),
        st.tuples(st.just("live"), st.integers(1, 5)),
        st.tuples(st.just("again"), st.just(0)),
    ),
    max_size=12,
)
Leg = tuple[str, str, int, Any]
MODES = st.sampled_from(["net", "long_short", "spot"])


def open_venue(mode: str, legs: list[Leg], seed: int, own: list[Leg] | None = None) -> Venue:
    venue = Venue(seed=seed, slippage_bps=3.0, activity_rate=1.0)
    spot = mode == "spot"
    positions: dict[tuple[str, str], tuple[str, str, str, str]] = {}
    for name, side, quantity, entry in legs if not spot else ():
        held = "net" if mode == "net" else side
        signed = quantity if side == "long" else -quantity
        positions[name, held] = (name, held, str(signed), str(entry))
    isolated: dict[tuple[str, str], wire.Position] = {}
    for name, side, quantity, entry in (own or []) if not spot else ():
        held = "net" if mode == "net" or name == "BTC-USDT" else side
        amount = Decimal(quantity if side == "long" else -quantity)
        amount = amount / 1000 if name == "BTC-USDT" else amount
        margin = "0.0123" if name == "BTC-USD-SWAP" else "345.67"
        isolated[name, held] = apart(name, str(amount), str(entry), margin, held, leverage="7")
    venue.open(
        {"USDT": "2500.5", "BTC": "0.75"},
        positions.values(),
        borrowed={"USDT": "9000.25"} if spot else None,
        orders=[
            *(
                limit_order(f"o{n}", "buy", f"{49_000 - 3000 * n}", "0.01", instrument="BTC-USDT")
                for n in range(3)
            ),
            *(
                limit_order(
                    f"o{n}", side, price, "1.5", position_side=place, margin_mode="isolated"
                )
                for n, side, price, place in (
                    (3, "buy", "48000", "net" if mode == "net" else "long"),
                    (4, "sell", "52000", "net" if mode == "net" else "short"),
                    (5, "sell", "53000", "net" if mode == "net" else "long"),
                )
                if not spot
            ),
        ],
        isolated=isolated.values(),
        mode="spot" if spot else "multi_currency",
        position_mode="long_short" if mode == "long_short" else "net",
    )
    return venue


def opened(venue: Venue) -> wire.AccountEvent:
    """Return the account's first message, apart from what the books hold."""
    assert venue.opening is not None
    event = wire.decode_event("accounts", wire.encode(venue.opening))
    assert isinstance(event, wire.AccountEvent)
    return event


def actions_for(venue: Venue, kind: str, value: int) -> list[dict[str, Any]]:
    account = venue.account
    legs = [
        {
            "action": "close",
            "instrument": name,
            "position_side": side,
            "side": "sell" if held.quantity > 0 else "buy",
            "quantity": str(value),
        }
        for (name, side), held in sorted(account.positions.items())
    ]
    if kind in ("own close", "own takeover"):
        return [
            {
                "action": "takeover" if kind == "own takeover" else "close",
                "instrument": name,
                "position_side": side,
                "side": "sell" if held.quantity > 0 else "buy",
                "quantity": "1000" if kind == "own takeover" else f"0.{value:05d}",
                "bankruptcy_price": str(value),
            }
            for (name, side), held in sorted(account.isolated.items())
        ][:1]
    if kind == "close":
        return legs[:2]
    if kind == "sell":
        sale = {"action": "sell", "instrument": "BTC-USDT", "side": "sell"}
        actions: list[dict[str, Any]] = [{**sale, "quantity": f"0.{value:03d}"}]
        if account.mode == "spot":
            actions.append({"action": "repay", "currency": "USDT", "quantity": str(value * 50)})
        return actions
    taken = [
        {
            **leg,
            "action": "takeover",
            "quantity": "1000",
            "bankruptcy_price": "0.0425" if leg["instrument"] in (CALL, PUT) else str(value),
        }
        for leg in legs
    ]
    coins = [
        {"action": "takeover", "currency": coin, "side": "sell", "quantity": "0.1"}
        for coin in ("BTC", "USDT")
    ]
    return taken + coins


class Driver:
    """Carries out steps one after another, with a little time after each."""

    def __init__(self, venue: Venue, *, interest: bool = False) -> None:
        self.venue = venue
        self._with_interest = interest
        self.notices: list[wire.Interest] = []
        """Interest that the monitor would have booked meanwhile."""
        self._late: list[wire.Interest] = []
        self._last: dict[str, Any] = {}
        self._activity = Activity(venue.exchange, venue.executor)

    def run(self, steps: list[tuple[str, int]]) -> list[tuple[str, bytes, bytes]]:
        """Return everything that was sent."""
        self._activity.start()
        for number, (kind, value) in enumerate(steps, 4):
            {
                "price": self._price,
                "live": self._live,
                "cancel": self._cancel,
                "again": self._again,
                "margin": self._margin,
                "interest": self._interest,
                "told late": self._interest,
            }.get(kind, self._reduce)(kind, value, number)
            if kind != "told late":
                self._tell()
            self._pass(value % 7)
        self._pass(200)
        self._tell()
        assert not self.venue.exchange.waiting
        return list(self.venue.exchange.outbox)

    def _pass(self, turns: int) -> None:
        for _ in range(turns):
            self.venue.clock.ms += 20
            self.venue.exchange.run_due()

    def _tell(self) -> None:
        while self._late:
            self.venue.exchange.books.follow(self._late.pop(0))

    def _price(self, kind: str, value: int, number: int) -> None:
        del kind, number
        for symbol in ("BTC-USD", "BTC-USDT-SWAP", "BTC-USD-SWAP"):
            self.venue.tick(symbol, str(value), kind="mark" if "SWAP" in symbol else "index")

    def _live(self, kind: str, value: int, number: int) -> None:
        del kind, number
        self._activity.pass_time(float(value))

    def _cancel(self, kind: str, value: int, number: int) -> None:
        del kind
        fields = {"command_id": f"c{number}", "sequence": number, "order_ids": [f"o{value}"]}
        self.venue.command("order-cancels", **fields, expires_at=T0 + 10**7)

    def _again(self, kind: str, value: int, number: int) -> None:
        del kind, value, number
        if self._last:
            self._last["attempt"] += 1
            self.venue.command("reductions", **self._last)

    def _margin(self, kind: str, value: int, number: int) -> None:
        """Move a little cash into the first isolated position, or out of it."""
        del kind, number
        account = self.venue.account
        for position, held in sorted(account.isolated.items())[:1]:
            amount = max(held.margin * value / 1000, -held.margin).quantize(Decimal("1e-8"))
            self.venue.exchange.transfer(
                account, "margin", held.margin_currency, plain(amount), position=position
            )

    def _interest(self, kind: str, value: int, number: int) -> None:
        """An hour's interest, by turns of a cross debt and of the margin position."""
        del kind
        if not self._with_interest:
            return
        account = self.venue.account
        instrument = "BTC-USDT" if number % 2 and account.mode != "spot" else None
        held = account.isolated.get(("BTC-USDT", "net"))
        notice = wire.Interest(
            interest_id=f"i{number}",
            account_id="a",
            state="accrued",
            currency="USDT" if instrument is None or held is None else held.liability_currency,
            amount=f"0.{abs(value) + 1:06d}",
            hour=number,
            ts=T0,
            instrument=instrument,
            account_seq=account.seq,
        )
        self.notices.append(notice)
        self._late.append(notice)

    def _reduce(self, kind: str, value: int, number: int) -> None:
        actions = actions_for(self.venue, kind, value)
        if not actions:
            return
        self._last = {
            "command_id": f"c{number}",
            "sequence": number,
            "attempt": 1,
            "phase": "takeover" if "takeover" in kind else "unhedged",
            "actions": actions,
            "expires_at": T0 + 10**7,
        }
        if kind.startswith("own"):
            place = (actions[0]["instrument"], "isolated", actions[0]["position_side"])
            self._last["position"] = "/".join(place)
        self.venue.command("reductions", **self._last)
