"""The check over hand-made histories: clean as worked out, and found out when anything is changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streams.verify import check
from tests.verify.scene import Scene
from tests.verify.worked import spot_episode, swap_episode


@pytest.mark.parametrize("episode", [spot_episode, swap_episode])
def test_worked_episode_is_clean(episode: Callable[[], Scene]) -> None:
    report = check(episode().history())

    assert report.clean, "\n".join(report.lines())
    assert not report.crossings_excused


def test_report_counts_the_worked_episode_from_the_topics() -> None:
    report = check(spot_episode().history())

    assert report.commands == {"episode": 2, "warning": 4, "order_cancel": 1, "reduction": 1}
    assert report.reductions == {"tier": 1}
    assert (report.episodes_opened, report.episodes_closed) == (1, 1)
    assert report.exit_status == 0
