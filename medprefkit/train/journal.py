"""What a run leaves to read: a line of JSON a log step, a bar in the terminal, and the adapter's README."""
# ruff: noqa: ARG002 (a callback is called with everything, whether it needs it or not)

import json
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

TINY = "tiny-llava"
"""A model name that needs no download: a random LLaVA, built beside the adapter. It learns nothing worth having."""

SPEED = ("speed/response_tokens_per_second", "memory/peak_gib")
"""Logged to whoever listens and kept in no file: the same run leaves the same bytes."""


class JsonLines(TrainerCallback):
    """Writes every log line to a file as it comes; after a resume the file holds the lines up to there once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Start the file with what was logged before the checkpoint."""
        if not state.is_world_process_zero:
            return
        self._path.write_text("".join(map(_line, state.log_history)), "utf-8")

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Append the newest line."""
        if not state.is_world_process_zero:
            return
        entry = {name: value for name, value in state.log_history[-1].items() if name not in SPEED}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(entry))


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
        """Show the newest loss, response tokens a second and peak memory."""
        if self._bar is not None and logs and "loss" in logs:
            speed, memory = (logs.get(name, 0.0) for name in SPEED)
            self._bar.set_postfix(
                loss=f"{logs['loss']:.4f}",
                margin=f"{logs.get('rewards/margins', 0.0):.4f}",
                tok_s=f"{speed:.0f}",
                GiB=f"{memory:.1f}",
            )

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON with sorted keys."""
    path.write_text(json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n", "utf-8")


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, sort_keys=True) + "\n"


_USE_ADAPTER = """from peft import PeftModel
from transformers import AutoModelForImageTextToText

base = AutoModelForImageTextToText.from_pretrained("{model}")
model = PeftModel.from_pretrained(base, "path/to/this/folder")"""

_USE_MODEL = """from transformers import AutoModelForImageTextToText

model = AutoModelForImageTextToText.from_pretrained("path/to/this/folder")"""


def adapter_readme(settings: dict[str, Any], metrics: dict[str, Any]) -> str:
    """Return the adapter's model card.

    Args:
        settings: What the run was told, as `settings.json` holds it.
        metrics: What came of it, as `metrics.json` holds it.
    """
    model = settings["model"]
    on_hub = "/" in model and not Path(model).exists()
    path = model if model != TINY else f"path/to/this/folder/{TINY}"
    base = f"base_model: {model}\n" if on_hub else ""
    full = settings["tune"] == "full"
    kind = "Vision-language model" if full else "LoRA adapter"
    learns = (
        "the whole language model"
        if full
        else (
            f"LoRA, r {settings['lora_r']}, alpha {settings['lora_alpha']}, on all linear layers of the language model"
        )
    )
    use = _USE_MODEL if full else _USE_ADAPTER.format(model=path)
    objective = "\n".join(f"| `{name}` | {value} |" for name, value in sorted(settings["objective"].items()))
    after = (
        "The objective is written after the abstract of arXiv 2606.12590; it reproduces no published number."
        if settings["preset"] == "medpref"
        else f"The objective is the preset `{settings['preset']}`."
    )
    left_out = ", ".join(f"{n} {reason}" for reason, n in sorted(metrics["refused"].items())) or "none"
    warned = "".join(f"- {warning}\n" for warning in metrics["warnings"])
    warned = f"\n## The run warned\n\n{warned}" if warned else ""
    evaluated = {name: value for name, value in metrics.items() if name.startswith("eval_")}
    results = "\n".join(f"| {name} | {value:.4f} |" for name, value in sorted(evaluated.items()))
    results = f"\n## On the evaluation split\n\n| quantity | mean |\n| --- | --- |\n{results}\n" if results else ""
    return f"""---
{base}library_name: {"transformers" if full else "peft"}
tags: [{"" if full else "lora, "}preference, medical, vision-language, medprefkit]
---

# {kind}, trained on preference pairs

{after} It was made by medprefkit. It is a research artefact and no medical device: no clinical use was tested.

| | |
| --- | --- |
| base model | {model} |
| dataset | {metrics["n_rows"]} rows, fingerprint `{settings["dataset_fingerprint"]}` |
| left out | {left_out} |
| steps | {metrics["steps"]} of {settings["batch_size"]} x {settings["gradient_accumulation"]} rows |
| learning rate | {settings["learning_rate"]} |
| learns | {learns} |
| precision, seed | {settings["precision"]}, {settings["seed"]} |

## Objective

| setting | value |
| --- | --- |
{objective}
{results}{warned}
![curves](curves.png)

## Use

```python
{use}
```
"""
