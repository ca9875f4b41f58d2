"""What a run leaves to read: a line of JSON a log step, a bar in the terminal, and the adapter's README."""
# ruff: noqa: ARG002 (a callback is called with everything, whether it needs it or not)

import json
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class JsonLines(TrainerCallback):
    """Writes every log line to a file as it comes; after a resume the file holds the lines up to there once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Start the file with what was logged before the checkpoint."""
        self._path.write_text("".join(map(_line, state.log_history)), "utf-8")

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Append the newest line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(state.log_history[-1]))


class StepBar(TrainerCallback):
    """A bar of steps with the loss and the reward margin; silent where the terminal is not one."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Open the bar at the step that training starts from."""
        self._bar = tqdm(total=state.max_steps, initial=state.global_step, desc="train", unit="step", disable=None)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Advance."""
        if self._bar is not None:
            self._bar.update(1)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Show the newest loss."""
        if self._bar is not None and logs and "loss" in logs:
            self._bar.set_postfix(loss=f"{logs['loss']:.4f}", margin=f"{logs.get('rewards/margins', 0.0):.4f}")

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON with sorted keys."""
    path.write_text(json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n", "utf-8")


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, sort_keys=True) + "\n"


def adapter_readme(settings: dict[str, Any], metrics: dict[str, Any]) -> str:
    """Return the adapter's model card.

    Args:
        settings: What the run was told, as `settings.json` holds it.
        metrics: What came of it, as `metrics.json` holds it.
    """
    model = settings["model"]
    on_hub = "/" in model and not Path(model).exists()
    base = f"base_model: {model}\n" if on_hub else ""
    objective = "\n".join(f"| `{name}` | {value} |" for name, value in sorted(settings["objective"].items()))
    after = (
        "The objective is written after the abstract of arXiv 2606.12590; it reproduces no published number."
        if settings["preset"] == "medpref"
        else f"The objective is the preset `{settings['preset']}`."
    )
    evaluated = {name: value for name, value in metrics.items() if name.startswith("eval_")}
    results = "\n".join(f"| {name} | {value:.4f} |" for name, value in sorted(evaluated.items()))
    results = f"\n## On the evaluation split\n\n| quantity | mean |\n| --- | --- |\n{results}\n" if results else ""
    return f"""---
{base}library_name: peft
tags: [lora, preference, medical, vision-language, medprefkit]
---

# LoRA adapter, trained on preference pairs

{after} It was made by medprefkit. It is a research artefact and no medical device: no clinical use was tested.

| | |
| --- | --- |
| base model | {model} |
| dataset | {metrics["n_rows"]} rows, fingerprint `{settings["dataset_fingerprint"]}` |
| steps | {metrics["steps"]} of {settings["batch_size"]} x {settings["gradient_accumulation"]} rows |
| learning rate | {settings["learning_rate"]} |
| LoRA | r {settings["lora_r"]}, alpha {settings["lora_alpha"]}, all linear layers of the language model |
| precision, seed | {settings["precision"]}, {settings["seed"]} |

## Objective

| setting | value |
| --- | --- |
{objective}
{results}
## Use

```python
from peft import PeftModel
from transformers import AutoModelForImageTextToText

base = AutoModelForImageTextToText.from_pretrained("{model}")
model = PeftModel.from_pretrained(base, "path/to/this/folder")
```
"""
