"""Two steps of TRL's DPOTrainer on a tiny LLaVA: what it takes to say that rows train elsewhere as they are."""

from pathlib import Path

from datasets import Dataset


def train_two_steps(rows: Dataset, folder: Path) -> int:
    """Train on the rows untouched; return the steps made."""
    from transformers import AutoModelForImageTextToText, AutoProcessor
    from trl import DPOConfig, DPOTrainer

    from medprefkit.lab.model import build_tiny_llava

    model_dir = build_tiny_llava(folder / "llava", [row["content"] for chosen in rows["chosen"] for row in chosen])
    trainer = DPOTrainer(
        model=AutoModelForImageTextToText.from_pretrained(model_dir),
        args=DPOConfig(
            output_dir=str(folder / "trl"),
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
    return int(trainer.state.global_step)
