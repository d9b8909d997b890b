"""`python -m tests.histories --steps 1000000`: long histories; one JSON line at the end."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections import Counter
from multiprocessing import Pool

from tests.histories.history import History

_STEPS_EACH = 400


def _play(seed: int) -> tuple[int, int, Counter[str], str | None]:
    try:
        history = History(seed)
        history.run(_STEPS_EACH)
    except Exception:  # noqa: BLE001 - every seed is reported, whatever it met
        return seed, 0, Counter(), traceback.format_exc(limit=-6)
    return seed, history.steps, history.counts, None


def main() -> int:
    """Run seeds until so many steps are done; return 1 when one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.histories", description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000, help="in all (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the first one (%(default)s)")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    steps, failed, seeds = 0, [], 0
    counts: Counter[str] = Counter()
    with Pool(options.processes) as pool:
        for seed, done, found, error in pool.imap_unordered(
            _play, range(options.seed, options.seed + 1_000_000)
        ):
            seeds, steps = seeds + 1, steps + done
            counts += found
            if error is not None:
                failed.append(seed)
                sys.stderr.write(f"\nseed {seed}:\n{error}")
            if sys.stderr.isatty() or seeds % 100 == 0:
                end = "\r" if sys.stderr.isatty() else "\n"
                sys.stderr.write(f"{steps:,} steps, {seeds:,} seeds, {len(failed)} failed{end}")
                sys.stderr.flush()
            if steps >= options.steps or len(failed) >= 20:
                pool.terminate()
                break
    result = {
        "steps": steps,
        "first_seed": options.seed,
        "seeds": seeds,
        "failed_seeds": sorted(failed),
        "counts": dict(sorted(counts.items())),
    }
    sys.stdout.write(json.dumps(result) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
