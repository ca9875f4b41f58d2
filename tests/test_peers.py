"""TRL's DPOTrainer takes the rows of a built dataset as they are."""

from pathlib import Path
from typing import Any

import pytest

from medprefkit import pipeline
from medprefkit.recipe import parse_recipe


def build_run(root: Path, **changes: Any) -> Path:
    data: dict[str, Any] = {
        "recipe_version": "1.0",
        "name": "trl",
        "shards": 2,
        "sources": [{"format": "phantom", "n": 12}],
        "corrupt": {"use": "noise"},
        "publish": {"title": "Rows for TRL"},
    }
    pipeline.run(parse_recipe(data | changes, where="test"), root)
    return root


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # another project's warnings are not ours to mend
def test_trl_trains_two_steps_on_the_rows_as_they_are(tmp_path: Path) -> None:
    from datasets import load_dataset
    from transformers import AutoModelForImageTextToText, AutoProcessor
    from trl import DPOConfig, DPOTrainer

    from medprefkit.lab.model import build_tiny_llava

    rows = load_dataset(str(build_run(tmp_path / "run") / "publish"), split="train")
    model_dir = build_tiny_llava(tmp_path / "llava", [row["chosen"][-1]["content"] for row in rows])
    trainer = DPOTrainer(
        model=AutoModelForImageTextToText.from_pretrained(model_dir),
        args=DPOConfig(
            output_dir=str(tmp_path / "trl"),
            max_steps=2,
            per_device_train_batch_size=2,
            max_length=None,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
        ),
        train_dataset=rows,
        processing_class=AutoProcessor.from_pretrained(model_dir),
    )
    trainer.train()
    assert trainer.state.global_step == 2
