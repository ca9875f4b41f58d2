"""TRL's DPOTrainer takes the rows of a built dataset as they are."""

from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset
from trl_steps import train_two_steps

from medprefkit import pipeline
from medprefkit.recipe import parse_recipe

RECIPE: dict[str, Any] = {
    "recipe_version": "1.0",
    "name": "trl",
    "shards": 2,
    "sources": [{"format": "phantom", "n": 12}],
    "corrupt": {"use": "noise"},
    "publish": {"title": "Rows for TRL"},
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # another project's warnings are not ours to mend
def test_trl_trains_two_steps_on_what_is_published(tmp_path: Path) -> None:
    pipeline.run(parse_recipe(RECIPE, where="test"), tmp_path / "run")
    rows = load_dataset(str(tmp_path / "run" / "publish"), split="train")
    assert train_two_steps(rows, tmp_path) == 2
