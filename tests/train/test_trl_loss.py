"""The peer: TRL's DPOTrainer takes our rows as they are, and the preset `dpo` has its loss."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import PeftModel
from transformers import AutoModelForImageTextToText, AutoProcessor

from medprefkit.build.features import features
from medprefkit.models.loading import load_base_model
from medprefkit.train.collate import PreferenceCollator
from medprefkit.train.forward import ResponseScorer
from medprefkit.train.lora import add_lora
from medprefkit.train.losses import preference_loss
from medprefkit.train.presets import PRESETS
from medprefkit.train.trainer import split_answers

MakePair = Callable[..., dict[str, Any]]


@pytest.fixture
def rows(make_pair: MakePair) -> list[dict[str, Any]]:
    return [make_pair(0), make_pair(1, corrupted_images=[]), make_pair(2), make_pair(3)]


def dpo_trainer(tmp_path: Path, model: Any, processor: Any, rows: list[dict[str, Any]], **options: Any) -> Any:
    from trl import DPOConfig, DPOTrainer

    arguments = DPOConfig(
        output_dir=str(tmp_path / "trl"),
        max_steps=2,
        per_device_train_batch_size=len(rows),
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        bf16=False,
        max_length=None,
        activation_checkpointing=False,
        dataloader_pin_memory=False,
        disable_tqdm=True,
    )
    dataset = Dataset.from_list(rows, features=features())
    return DPOTrainer(model=model, args=arguments, train_dataset=dataset, processing_class=processor, **options)


@pytest.mark.filterwarnings("ignore")
def test_trl_trains_on_rows_with_every_column_of_the_contract(
    tmp_path: Path, tiny_model: Path, rows: list[dict[str, Any]]
) -> None:
    from peft import LoraConfig

    model = AutoModelForImageTextToText.from_pretrained(tiny_model)
    lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    trainer = dpo_trainer(tmp_path, model, AutoProcessor.from_pretrained(tiny_model), rows, peft_config=lora)
    trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    assert len(losses) == 2
    assert losses[0] == pytest.approx(0.6931, abs=1e-3)


@pytest.mark.filterwarnings("ignore")
def test_the_preset_dpo_has_trl_s_loss(tmp_path: Path, tiny_model: Path, rows: list[dict[str, Any]]) -> None:
    model = add_lora(load_base_model(str(tiny_model), precision="fp32"), r=4, alpha=8)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    processor = AutoProcessor.from_pretrained(tiny_model)
    batch = PreferenceCollator(processor, corrupted=False)(rows)
    chosen, rejected, _ = split_answers(ResponseScorer(model)(model, model, batch), batch)
    ours = preference_loss(PRESETS["dpo"], chosen, rejected, None, batch["row_weights"]).loss

    policy = AutoModelForImageTextToText.from_pretrained(tiny_model)
    model.save_pretrained(str(tmp_path / "adapter"))
    merged = PeftModel.from_pretrained(policy, str(tmp_path / "adapter")).merge_and_unload()
    reference = AutoModelForImageTextToText.from_pretrained(tiny_model)
    trainer = dpo_trainer(tmp_path, merged, processor, rows, ref_model=reference)
    inputs = trainer._prepare_inputs(trainer.data_collator([trainer.train_dataset[i] for i in range(len(rows))]))
    theirs = trainer.compute_loss(trainer.model, inputs)
    assert float(ours) != pytest.approx(0.6931, abs=1e-2)
    assert float(ours) == pytest.approx(float(theirs), abs=1e-5)
