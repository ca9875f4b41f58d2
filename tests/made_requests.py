"""Requests and images for tests of asking models."""

import numpy as np

from medprefkit.models.requests import Asker, Outcome, Picture, Request, picture_of
from medprefkit.records import Sampling


def picture(seed: int, shape: tuple[int, int] = (60, 80)) -> Picture:
    return picture_of(np.random.default_rng(seed).integers(0, 255, (*shape, 3), dtype=np.uint8))


def question(prompt: str = "Is there a pleural effusion?", *, record_id: str = "r", **changes: object) -> Request:
    made = {"pictures": (), "sampling": Sampling(max_new_tokens=16)} | changes
    return Request(record_id, prompt, **made)  # type: ignore[arg-type]  # what a test changes is its own affair


def ask(model: Asker, requests: list[Request]) -> list[Outcome]:
    outcomes: dict[int, Outcome] = {}
    model.ask(requests, outcomes.__setitem__)
    return [outcomes[k] for k in range(len(requests))]
