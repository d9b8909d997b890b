"""What the page is tested against has the shapes of the real API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from monitor.scenario import LiquidationMap, WhatIfAnswer
from monitor.schema.commands import EpisodeNotice, OrderCancel, Reduction, WarningCommand
from streams.dashboard.api import models
from tests.support.desk import Desk
from tests.support.desk_server import fallen, map_of, refused

_COMMANDS: TypeAdapter[Any] = TypeAdapter(
    list[WarningCommand | OrderCancel | Reduction | EpisodeNotice]
)


@pytest.mark.parametrize("state", ["crash", "calm", "empty"])
def test_answers_are_what_the_api_would_say(tmp_path: Path, state: Any) -> None:
    desk = Desk(tmp_path, state)
    answers: list[tuple[type[BaseModel], Any]] = [
        (models.Overview, desk.overview()),
        (models.AccountsPage, desk.page(None, 100, None, "")),
        (models.AccountDetail, desk.detail()),
        (models.BorrowingAnswer, desk.borrowing()),
        (models.Answer, refused("acct-00042")),
        (LiquidationMap, map_of("BTC")),
        (WhatIfAnswer, fallen(desk)),
    ]
    for model, answer in answers:
        model.model_validate(answer)
        assert set(answer) <= set(model.model_fields), model
    _COMMANDS.validate_python(desk.commands())
