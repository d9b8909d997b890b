"""Every rule by its code, in one line each."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["CATALOGUE", "FAMILIES", "NOT_YET", "Rule", "rules_by_code"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `title` says in a line what it decides."""

    code: str
    title: str

    @property
    def family(self) -> str:
        """The letters of the code."""
        return self.code.partition("-")[0]

    @property
    def not_yet(self) -> str | None:
        """What it belongs to that is not in yet; None when it has a line and a test."""
        return NOT_YET.get(self.code, NOT_YET.get(self.family))


NOT_YET = {
    "WI": "what-if and liquidation map",
}
"""Family or code → what it waits for."""

CATALOGUE: dict[str, tuple[str, ...]] = {
    "PX  Prices": (
        "PX-1  An index price by currency, a mark by derivative; USD is 1 and no other coin is",
        "PX-2  Without a USD index: through USDT, then BTC, then ETH",
        "PX-3  A missing price makes the accounts that need it unpriced, and no other",
        "PX-4  Past its maximum age a price is stale: warnings and cancels, no reductions",
        "PX-5  Older ticks are dropped and counted; what is no price is a dead letter",
        "PX-6  Jump guard: a far tick is held until further ones confirm it",
    ),
    "CU  One currency of one account": (
        "CU-1  Equity: cash − borrowed + PnL + options value − accrued interest",
        "CU-2  Unrealised PnL of linear and inverse contracts",
        "CU-3  Options value: contracts × size × mark",
        "CU-4  Frozen: what the open orders hold",
        "CU-5  Available equity and available balance",
        "CU-6  Liability, and the part of it that comes from unrealised loss",
        "CU-7  Potential borrowing: the liability once every order has taken what it freezes",
        "CU-8  Margin frozen for borrowing",
        "CU-9  Discounted equity: collateral tiers, marginally",
        "CU-10  The seven ways a liability arises",
    ),
    "AE, IM, MM, MR  The account": (
        "AE-1  Adjusted equity",
        "AE-2  Spot order loss: what fills would take from discounted equity",
        "AE-3  Total equity, collateral or not",
        "IM-1  Initial margin",
        "MM-1  Maintenance margin",
        "MM-2  Notional, tiers by family and kind, and what an order opens",
        "MM-3  Margin of short options",
        "MM-4  Liquidation fee",
        "MR-1  Maintenance margin ratio = adjusted equity / (maintenance margin + fee)",
        "MR-2  Available margin, position value, account leverage",
        "MR-3  An isolated position's own ratio",
        "MR-4  Liquidation price of a position or a debt",
    ),
    "PM  Portfolio mode": (
        "PM-1  Risk unit",
        "PM-2  Unit maintenance and initial margin",
        "PM-3  MR1 to MR9",
        "PM-4  Price grids, dated",
        "PM-5  Index and mark under shocks; the published example",
    ),
    "OV  Order and borrow checks": (
        "OV-1  With auto-borrow: adjusted equity covers initial margin, the order included",
        "OV-2  Manual borrow in spot mode",
        "OV-3  Without auto-borrow: the coin itself must suffice",
        "OV-4  A changed order becomes an auto-borrow order",
        "OV-5  Where, and above which ratio, borrowing is possible",
        "OV-6  The answer: figures, the refusing rule, the largest size that passes",
    ),
    "BL  Borrow limits": (
        "BL-1  Position tier at the leverage in use",
        "BL-2  The main account's cap by VIP level",
        "BL-3  The platform's pool, and the rate near its end",
        "BL-4  Potential borrowing counts; what is shown per currency",
    ),
    "IN  Interest and forced conversion": (
        "IN-1  Hourly interest: base, recording window, deduction",
        "IN-2  The interest-free part",
        "IN-3  Quotas by account and currency",
        "IN-4  Forced conversion with auto-borrow off",
        "IN-5  Funding, and the orders that it leaves short",
        "IN-6  The list of accruals and deductions, and the rates per currency",
    ),
    "RP  Repayment": (
        "RP-1  What is bought or received repays",
        "RP-2  One-click repayment: a plan",
        "RP-3  A transfer in repays on receipt",
        "RP-4  Repayment at any time; before the hour it costs nothing",
        "RP-5  What closing leaves owed; withdrawals",
    ),
    "OC  Order-cancel assessment": (
        "OC-1  Orders that open or add, when equity no longer covers them",
        "OC-2  Orders that freeze a coin gone short, newest first",
        "OC-3  Orders that need borrowing past a limit",
        "OC-4  Reduce-only orders are kept",
    ),
    "ES  Escalation": (
        "ES-1  Bands and their levels",
        "ES-2  Episodes, sequence numbers, ids",
        "ES-3  Warnings: entered, worsened, cleared",
        "ES-4  In liquidation every open order is cancelled first",
        "ES-5  One reduction step at a time, until the ratio is above the exit",
        "ES-6  Deadlines, re-sends, stuck",
        "ES-7  Bankrupt, and the shortfall",
        "ES-8  Time is an input",
    ),
    "RD  Reduction steps": (
        "RD-1  Spot: same-coin repayment, tier by tier, full",
        "RD-2  Multi-currency: opposite sides, delta-neutral pairs, the rest",
        "RD-3  The tier step",
        "RD-4  Long options stay; isolated positions go alone",
        "RD-5  Portfolio: by risk unit",
        "RD-6  The smallest size that suffices; what the command says; caps",
        "RD-7  What every step keeps; takeover",
    ),
    "WI  What-if": (
        "WI-1  Shocks, fills and cash moves on every account",
        "WI-2  Liquidation map",
    ),
    "H  What always holds": (
        "H-0  An event older than all that is remembered is never applied again",
        "H-1  The same input gives the same commands, byte for byte",
        "H-2  Decimals decide; floats only rule out",
        "H-3  No crossing is missed",
        "H-4  One bad message, account or service never stops the others",
        "H-5  An event applies once",
        "H-6  A worker that is not ready commands nothing, and says so",
        "H-7  Nothing is published that is not in the journal",
        "H-8  Work per turn of the loop is bounded",
        "H-9  Ready means caught up, complete, and everything assessed once",
        "H-10  Totals over many workers, with their age",
    ),
}
"""Section → its rules, `CODE  title`."""

FAMILIES = tuple(sorted({line.split("-")[0] for lines in CATALOGUE.values() for line in lines}))

_LINE = re.compile(r"([A-Z]{1,2}-\d+)  (\S.*)")


def rules_by_code() -> dict[str, Rule]:
    """Return code → rule, in the order of the catalogue."""
    found = {}
    for lines in CATALOGUE.values():
        for line in lines:
            match = _LINE.fullmatch(line)
            if match is None:
                raise ValueError(f"{line!r} is not of the form `CODE  title`")
            found[match[1]] = Rule(match[1], match[2])
    return found
