"""How fast and how lean training is: beside TRL's DPOTrainer, beside our own plain path, and as answers and heads grow.

    python benchmarks/trainer.py [--quick] > trainer.json        # the table goes to stderr

A LLaVA of 37 M parameters (32 k vocabulary) with random weights, 224 px images of 256 tokens and LoRA on its language
model is built on the spot. Every run is a process of its own, on one thread, in the order A B A B; speed is the median
of its steps after the first, memory the peak of its resident set. On a CPU everything is float32 and time is the
processor's, which other work on the machine disturbs less than the clock; where a GPU is at hand the same runs go
there in bfloat16, by the clock, and memory is the allocator's peak. Compare ratios, not machines.

`plain` is what published code does: whole sequences, logits of every position, log_softmax over all of them, autograd.
"""

import argparse
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

WORDS = """
    there is a small moderate large left right pleural effusion with basal atelectasis consolidation in the lower upper
    lobe heart size mediastinum normal enlarged stable no pneumothorax seen device tip projects over cavity
""".split()  # noqa: SIM905 (a text reads better than a list)
ANSWER_WORDS = 60
BATCH = 2


# --- one measured run, in a process of its own ----------------------------------------------------------------------


def make_rows(n: int, n_words: int, *, corrupted: bool) -> list[dict[str, Any]]:
    """Draw pairs by the column contract: one phrase differs, the images are 224 px noise."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)

    def picture() -> dict[str, Any]:
        stream = io.BytesIO()
        Image.fromarray(random.integers(0, 255, (224, 224, 3), dtype=np.uint8)).save(stream, "PNG", compress_level=1)
        return {"bytes": stream.getvalue(), "path": None}

    def span(text: str, word: str) -> dict[str, Any]:
        start = text.index(word)
        return {
            "start_char": start, "end_char": start + len(word), "phrase_id": 1, "error_type": "wrong_laterality",
            "severity": "significant", "weight": 1.0, "lesion_linked": True,
        }  # fmt: skip

    def turn(role: str, content: str) -> list[dict[str, str]]:
        return [{"role": role, "content": content}]

    rows = []
    for index in range(n):
        words = [
            str(word) for word in random.choice([each for each in WORDS if each not in {"left", "right"}], n_words)
        ]
        words[n_words // 3] = "left"
        chosen = " ".join(words) + "."
        rejected = chosen.replace("left", "right", 1)
        rows.append(
            {
                "id": f"row{index}", "group_id": f"group{index}", "images": [picture()],
                "prompt": turn("user", "Describe the findings of this chest radiograph in a few sentences."),
                "chosen": turn("assistant", chosen), "rejected": turn("assistant", rejected),
                "chosen_spans": [span(chosen, "left")], "rejected_spans": [span(rejected, "right")],
                "corrupted_images": [picture()] if corrupted else [], "control_images": [], "corruption": None,
                "weight": 1.0, "verdicts": [], "provenance": None,
            }
        )  # fmt: skip
    return rows


class Watch:
    """Step times, and the peak of the memory that a process or a GPU held."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.ends: list[float] = []
        self.at_start = 0

    def start(self) -> None:
        """Note what is held before the first step, and forget the peak so far."""
        if self.device == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats()
            self.at_start = torch.cuda.memory_allocated()
            return
        self.peak_before = _status("VmHWM")
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak of the resident set
        self.at_start = _status("VmRSS")

    def result(self) -> dict[str, float]:
        """Return seconds a step after the first, peak, and peak above what was held at the start; bytes."""
        steps = [after - before for before, after in zip(self.ends, self.ends[1:], strict=False)]
        if self.device == "cuda":
            import torch

            peak = before = torch.cuda.max_memory_allocated()
        else:
            peak, before = _status("VmHWM"), self.peak_before
        return {
            "step_s": statistics.median(steps),
            "peak": max(peak, before),
            "peak_above_start": peak - self.at_start,
        }


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) * 1024


def run_child(spec: Mapping[str, Any]) -> dict[str, float]:
    """Train a few steps as `spec` says and measure them."""
    import warnings

    warnings.simplefilter("ignore")
    import torch
    from datasets import Dataset, disable_progress_bars
    from transformers import TrainerCallback
    from transformers.utils import logging

    from medprefkit.build.features import features
    from medprefkit.models.loading import load_base_model, load_processor
    from medprefkit.train.lora import add_lora

    torch.manual_seed(0)
    disable_progress_bars()
    logging.set_verbosity_error()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = make_rows(spec["n_rows"], spec["n_words"], corrupted=spec["preset"] == "medpref")
    dataset = Dataset.from_list(rows, features=features())
    processor = load_processor(spec["model"])
    model = add_lora(load_base_model(spec["model"], precision="bf16" if device == "cuda" else "fp32"), r=16, alpha=32)
    for parameter in model.parameters():  # weights are mapped from their file: until touched they are not resident
        parameter.detach().sum()
    watch = Watch(device)

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            watch.ends.append(time.perf_counter() if device == "cuda" else time.process_time())

    shared: dict[str, Any] = {
        "output_dir": spec["scratch"],
        "max_steps": spec["n_steps"],
        "per_device_train_batch_size": BATCH,
        "learning_rate": 1e-4,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "use_cpu": device == "cpu",
        "bf16": device == "cuda",
        "disable_tqdm": True,
        "dataloader_pin_memory": device == "cuda",
    }
    make = _trl if spec["side"] == "trl" else _ours
    trainer = make(model, processor, dataset, shared, spec)
    trainer.add_callback(Clock())
    watch.start()
    trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    return {**watch.result(), "first_loss": losses[0], "last_loss": losses[-1]}


def _trl(model: Any, processor: Any, dataset: Any, shared: Mapping[str, Any], _: Mapping[str, Any]) -> Any:
    from trl import DPOConfig, DPOTrainer

    arguments = DPOConfig(
        max_length=None, beta=0.1, gradient_checkpointing=False, activation_checkpointing=False, **shared
    )
    return DPOTrainer(model=model, args=arguments, train_dataset=dataset, processing_class=processor)


def _ours(model: Any, processor: Any, dataset: Any, shared: Mapping[str, Any], spec: Mapping[str, Any]) -> Any:
    from transformers import TrainingArguments

    from medprefkit.train.collate import PreferenceCollator
    from medprefkit.train.presets import PRESETS
    from medprefkit.train.rows import PairRows
    from medprefkit.train.trainer import PreferenceTrainer

    settings = PRESETS[spec["preset"]]
    trainer = PreferenceTrainer(
        model=model,
        args=TrainingArguments(remove_unused_columns=False, **shared),
        collator=PreferenceCollator(processor, corrupted=settings.grounding_weight > 0),
        settings=settings,
        train_dataset=PairRows(dataset),
    )
    if spec["side"] == "cached":
        trainer.use_reference_cache(Path(tempfile.mkdtemp(dir=spec["scratch"])))
    if spec["side"] == "plain":
        trainer._collator.share_prompts = False
        trainer._scorer = plain_scores
    return trainer


def plain_scores(model: Any, adapter: Any, batch: Mapping[str, Any], _: Any) -> Any:
    """Score as published code does, and as nothing of ours does: all logits of whole sequences, all of them kept."""
    import torch

    from medprefkit.train.token_stats import TokenStats

    mask = batch["label_mask"]
    out = [torch.zeros(mask.shape, device=mask.device) for _ in range(4)]
    for group in batch["groups"]:
        with torch.no_grad(), adapter.disable_adapter():
            ref = adapter(**group["inputs"], use_cache=False).logits.float().log_softmax(-1)
        policy = model(**group["inputs"], use_cache=False).logits.float().log_softmax(-1)
        forward = (ref.exp() * (ref - policy)).sum(-1)  # (n, L)
        reverse = (policy.exp() * (policy - ref)).sum(-1)
        local, token = mask[group["sequences"]].nonzero(as_tuple=True)
        sequences = group["sequences"][local]
        labels = batch["labels"][sequences, token]
        at = batch["starts"][sequences] + token - 1
        values = policy[local, at, labels], ref[local, at, labels], forward[local, at], reverse[local, at]
        out = [each.index_put((sequences, token), value) for each, value in zip(out, values, strict=True)]
    return TokenStats(*out)


# --- the runs, their order and their table --------------------------------------------------------------------------


class Goal(NamedTuple):
    """One number that was aimed at, and what was measured."""

    what: str
    value: float
    wanted: str
    met: bool


class Bench:
    """Builds models once, runs children, collects numbers."""

    def __init__(self, scratch: Path, repeats: int) -> None:
        self.scratch, self.repeats = scratch, repeats
        self.runs: list[dict[str, Any]] = []
        self.goals: list[Goal] = []
        (scratch / "out").mkdir()

    def model(self, n_logits: int) -> str:
        """Return the folder of the model with that many rows in its head."""
        from medprefkit.lab.model import build_tiny_llava

        folder = self.scratch / f"llava{n_logits}"
        if not folder.exists():
            build_tiny_llava(
                folder, [" ".join(WORDS)] * 50, image_size_px=224, hidden_size=384, n_layers=5, n_logits=n_logits
            )
        return str(folder)

    def run(self, side: str, preset: str, n_logits: int, *, n_words: int = ANSWER_WORDS, n_steps: int = 4) -> Any:
        """Measure one child."""
        spec = {
            "side": side, "preset": preset, "n_logits": n_logits, "n_words": n_words, "n_steps": n_steps,
            "n_rows": BATCH * n_steps, "model": self.model(n_logits), "scratch": str(self.scratch / "out"),
        }  # fmt: skip
        child = subprocess.run(
            [sys.executable, str(Path(__file__).resolve()), "--child", json.dumps(spec)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"},
        )
        if child.returncode != 0:
            raise SystemExit(f"{side} {preset} {n_logits} failed:\n{child.stderr[-3000:]}")
        result = {**spec, **json.loads(child.stdout.splitlines()[-1])}
        result["pairs_per_s"] = BATCH / result["step_s"]
        self.runs.append(result)
        print(
            f"  {side:6} {preset:8} V {n_logits:7,} T {n_words:4}  {result['pairs_per_s']:6.2f} pairs/s"
            f"  peak {result['peak'] / 2**20:6.0f} MiB, above the start {result['peak_above_start'] / 2**20:6.0f}"
            f"  loss {result['first_loss']:.4f} -> {result['last_loss']:.4f}",
            file=sys.stderr,
            flush=True,
        )
        return result

    def compare(self, one: str, other: str, preset: str, n_logits: int, n_steps: int = 4) -> dict[str, float]:
        """Run A B A B; return how many times faster `other` is, and its share of the peak, as ratios of medians."""
        pairs = [
            [self.run(side, preset, n_logits, n_steps=n_steps) for side in (one, other)] for _ in range(self.repeats)
        ]

        def middle(place: int, key: str) -> float:
            return statistics.median(pair[place][key] for pair in pairs)

        keys = ("pairs_per_s", "peak", "peak_above_start")
        return {key: middle(1, key) / middle(0, key) for key in keys}

    def aim(self, what: str, value: float, *, at_least: float | None = None, at_most: float | None = None) -> None:
        """Note a number beside its goal."""
        met = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
        wanted = f">= {at_least}" if at_least is not None else f"<= {at_most}"
        self.goals.append(Goal(what, round(value, 3), wanted, met))


def measure(bench: Bench, *, quick: bool) -> None:
    """Make every comparison."""
    trl = bench.compare("trl", "ours", "dpo", 32_000)
    bench.aim("dpo, 32 k: pairs/s over TRL's", trl["pairs_per_s"], at_least=5)
    bench.aim("dpo, 32 k: share of TRL's peak", trl["peak"], at_most=0.5)
    if not quick:
        trl = bench.compare("trl", "ours", "dpo", 152_000, n_steps=2)
        bench.aim("dpo, 152 k: pairs/s over TRL's", trl["pairs_per_s"], at_least=5)
        bench.aim("dpo, 152 k: share of TRL's peak", trl["peak"], at_most=0.5)
    plain = bench.compare("plain", "ours", "medpref", 32_000, n_steps=3)
    bench.aim("medpref, 32 k: pairs/s over the plain path's", plain["pairs_per_s"], at_least=1.8)
    bench.aim("medpref, 32 k: share of its peak above the model", plain["peak_above_start"], at_most=0.5)
    cached = bench.compare("ours", "cached", "medpref", 32_000)
    bench.aim("medpref, 32 k: second epoch with the reference cache", cached["pairs_per_s"], at_least=1.25)
    small = next(run for run in bench.runs if run["side"] == "ours" and run["preset"] == "medpref")
    if not quick:
        large = bench.run("ours", "medpref", 256_000, n_steps=3)
        growth = large["peak_above_start"] / small["peak_above_start"]
        bench.aim("medpref: peak above the model, 256 k over 32 k", growth, at_most=1.2)
        long = bench.run("ours", "medpref", 32_000, n_words=4 * ANSWER_WORDS, n_steps=3)
        bench.aim("medpref: seconds a step, answers 4 times as long", long["step_s"] / small["step_s"], at_most=4)


def main() -> None:
    """Run everything, print a table to stderr and JSON to stdout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="each run once, 32 k only: two minutes instead of eight")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(run_child(json.loads(arguments.child))))
        return
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Path(scratch), repeats=1 if arguments.quick else 2)
        measure(bench, quick=arguments.quick)
    print(f"\n{'':56} {'measured':>8}   goal", file=sys.stderr)
    for goal in bench.goals:
        print(f"{goal.what:56} {goal.value:8.2f}   {goal.wanted:8} {'' if goal.met else 'missed'}", file=sys.stderr)
    report = {
        "goals": [goal._asdict() for goal in bench.goals],
        "runs": bench.runs,
        "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()},
        "seconds": round(time.perf_counter() - began),
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
