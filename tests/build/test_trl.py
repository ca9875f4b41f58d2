"""Rows train as they are in TRL's DPOTrainer: with images on a vision-language model, text-only ones on any model."""

import warnings
from pathlib import Path
from typing import Any

import pytest
from datasets import load_from_disk
from made_pairs import corrupt, draw, make

from medprefkit.build.write import write_dataset

trl = pytest.importorskip("trl")
transformers = pytest.importorskip("transformers")
model_of = pytest.importorskip("medprefkit.lab.model")

# Other libraries' own warnings are not this package's to mend.
pytestmark = pytest.mark.filterwarnings("ignore")


def _train(dataset_dir: Path, model: Any, processor: Any, out: Path) -> float:
    train = load_from_disk(str(dataset_dir))["train"]
    config = trl.DPOConfig(
        output_dir=str(out), max_steps=1, per_device_train_batch_size=2, max_length=None, report_to=[], use_cpu=True,
        save_strategy="no", disable_tqdm=True, gradient_checkpointing=False, bf16=False,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = trl.DPOTrainer(model=model, args=config, train_dataset=train, processing_class=processor)
        return float(trainer.train().training_loss)


def _build(tmp_path: Path, pairs: list[Any]) -> Path:
    out = tmp_path / "out"
    out.mkdir()
    write_dataset(pairs, out, data_root=tmp_path / "data", run_dir=tmp_path / "run", run_seed=0, eval_share=0.0)
    return out / "dataset"


@pytest.mark.parametrize(
    ("pictured", "kind"), [(True, "vision-language"), (False, "vision-language"), (False, "language")]
)
def test_one_step_of_trl(tmp_path: Path, pictured: bool, kind: str) -> None:
    pairs = [
        make(
            f"r{n}",
            images=[draw(tmp_path / f"data/i{n}.png", n)] if pictured else [],
            corrupted=corrupt(tmp_path / "run", f"r{n}") if pictured else None,
        )
        for n in range(2)
    ]
    texts = [text for pair in pairs for text in (pair.chosen, pair.prompt)]
    folder = model_of.build_tiny_llava(tmp_path / "model", texts)
    processor = transformers.AutoProcessor.from_pretrained(folder)
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder)
    if kind == "language":
        processor = processor.tokenizer
        transformers.LlamaForCausalLM(model.config.text_config).save_pretrained(tmp_path / "language")
        model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "language")
    # policy and reference are the same before the first step: -log sigmoid(0) = log 2
    assert _train(_build(tmp_path, pairs), model, processor, tmp_path / "trained") == pytest.approx(0.6931, abs=1e-3)
