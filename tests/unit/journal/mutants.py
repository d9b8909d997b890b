"""The journal with one of its rules taken out: a copy of the package, changed in one place.

A rule's test proves something only if it fails without the rule. Each scenario therefore runs
twice: against the journal, and against a mutant of it, where it must fail.
"""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import streams.journal
from tests.unit.journal.pretend import patience

_NAME = "streams.journal"
_FOLDER = Path(streams.journal.__file__).parent
# Every module, a module before those that import it.
_ORDER = (
    "exceptions",
    "records",
    "settings",
    "clock",
    "acknowledge",
    "producer",
    "fetching",
    "reader",
    "partition",
    "outlet",
    "owner",
    "snapshots",
    "sources",
    "writer",
    "__init__",
)


@dataclass(frozen=True)
class Mutation:
    """`old` becomes `new`, in one module of the package and at one place of it."""

    rule: str
    module: str
    old: str
    new: str
    scenario: Callable[[Any], Awaitable[None]]


def mutate(mutation: Mutation) -> Any:
    """Return a copy of the package with the mutation in it; the original stays as it is."""
    assert {path.stem for path in _FOLDER.glob("*.py")} == set(_ORDER)
    saved = {n: m for n, m in sys.modules.items() if n == _NAME or n.startswith(_NAME + ".")}
    for name in saved:
        del sys.modules[name]
    try:
        package = ModuleType(_NAME)
        package.__path__ = [str(_FOLDER)]
        sys.modules[_NAME] = package
        for stem in _ORDER:
            source = (_FOLDER / f"{stem}.py").read_text()
            if stem == mutation.module:
                count = source.count(mutation.old)
                assert count == 1, f"{mutation.old!r} stands {count} times in {stem}.py"
                source = source.replace(mutation.old, mutation.new)
            module = package
            if stem != "__init__":
                module = ModuleType(f"{_NAME}.{stem}")
                sys.modules[module.__name__] = module
                setattr(package, stem, module)
            module.__file__ = str(_FOLDER / f"{stem}.py")
            exec(compile(source, module.__file__, "exec"), module.__dict__)  # noqa: S102
        return package
    finally:
        for name in list(sys.modules):
            if name == _NAME or name.startswith(_NAME + "."):
                del sys.modules[name]
        sys.modules.update(saved)


async def must_fail(mutation: Mutation, world: Callable[[Any], Any] = lambda it: it) -> None:
    """Run the scenario against the mutant, and expect it to fail or the mutant to give up.

    `world` makes of the mutant what the scenario takes.
    """
    package = mutate(mutation)
    token = patience.set(0.5)
    try:
        with pytest.raises((AssertionError, pytest.fail.Exception, package.JournalError)):
            await mutation.scenario(world(package))
    finally:
        patience.reset(token)


def parametrize(mutations: list[Mutation]) -> pytest.MarkDecorator:
    """Run a test once for each mutation."""
    return pytest.mark.parametrize("mutation", mutations, ids=lambda mutation: mutation.rule)
