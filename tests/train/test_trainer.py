"""The whole way on the tiny model: rows to adapter, and what a run leaves behind."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, TrainingArguments

from medprefkit.build.features import features
from medprefkit.errors import DatasetError, ModelError, TrainError
from medprefkit.models.loading import load_base_model, load_processor, quiet
from medprefkit.train import run as run_module
from medprefkit.train.collate import PreferenceCollator
from medprefkit.train.forward import ResponseScorer
from medprefkit.train.journal import SPEED
from medprefkit.train.lora import add_lora
from medprefkit.train.losses import preference_loss
from medprefkit.train.metrics import NAMES
from medprefkit.train.presets import PRESETS
from medprefkit.train.rows import trainable_rows
from medprefkit.train.run import TrainResult, train
from medprefkit.train.token_stats import token_stats
from medprefkit.train.tokens import RowEncoder
from medprefkit.train.trainer import PreferenceTrainer, kl_plan, split_answers

MakePair = Callable[..., dict[str, Any]]
SavePairs = Callable[..., Path]

QUICK: dict[str, Any] = {
    "max_steps": 3,
    "batch_size": 2,
    "gradient_accumulation": 1,
    "lora_r": 4,
    "lora_alpha": 8,
    "learning_rate": 1e-2,
    "precision": "fp32",
}


@pytest.fixture(scope="module")
def rows(make_pair: MakePair, make_text_pair: MakePair) -> list[dict[str, Any]]:
    return [make_pair(0), make_pair(1, corrupted_images=[]), make_text_pair(2), make_pair(3), make_pair(4, weight=0.5)]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory, save_pairs: SavePairs, rows: list[dict[str, Any]]) -> Path:
    return save_pairs(tmp_path_factory.mktemp("pairs"), train=rows, eval=rows[:2])


@pytest.fixture
def adapted(tiny_model: Path) -> PeftModel:
    torch.manual_seed(0)
    return add_lora(load_base_model(str(tiny_model), precision="fp32"), r=4, alpha=8)


def perturb(model: PeftModel) -> PeftModel:
    """Move the adapter away from zero, so that policy and reference differ."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


def test_three_steps_change_every_adapter_weight_and_no_base_weight(
    pairs: Path, tmp_path: Path, adapted: PeftModel, processor: Any, rows: list[dict[str, Any]]
) -> None:
    before = {name: parameter.clone() for name, parameter in adapted.named_parameters()}
    trainer = PreferenceTrainer(
        model=adapted,
        args=TrainingArguments(
            output_dir=str(tmp_path / "out"),
            max_steps=3,
            per_device_train_batch_size=5,
            learning_rate=1e-2,
            remove_unused_columns=False,
            use_cpu=True,
            dataloader_pin_memory=False,
            save_strategy="no",
            logging_steps=1,
            report_to=[],
            disable_tqdm=True,
        ),
        collator=PreferenceCollator(processor),
        settings=PRESETS["medpref"],
        train_dataset=rows,
    )
    trainer.train()
    after = dict(adapted.named_parameters())
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if "lora_" in name}
    assert len(changed) == 28  # A and B of 7 linear layers in each of 2 decoder layers
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    assert len(losses) == 3
    assert all(torch.isfinite(torch.tensor(losses)))
    assert losses[2] < losses[0]
    first = trainer.state.log_history[0]
    assert set(NAMES) - {"logps/rejected_corrupted"} <= set(first)
    # policy = reference at the first step: every sigmoid log 2, every KL 0
    assert first["loss/rank"] == pytest.approx(0.693147, abs=1e-6)
    assert first["loss/ground"] == pytest.approx(0.693147, abs=1e-6)
    assert [first[name] for name in NAMES if name.startswith("kl/")] == [0.0] * 4
    assert first["margin"] == first["logps/chosen_vs_ref"] == 0.0
    assert first["share/corrupted"] == pytest.approx(3 / 5)
    assert first["logps/chosen"] == pytest.approx(first["logps/chosen_edited"] + first["logps/chosen_unedited"])


def test_the_head_on_response_tokens_equals_the_plain_path(
    adapted: PeftModel, processor: Any, rows: list[dict[str, Any]]
) -> None:
    model = perturb(adapted)
    batch = PreferenceCollator(processor)(rows)
    scorer = ResponseScorer(model)
    assert scorer.uses_head

    def plain() -> Any:
        """Logits of whole sequences, one sequence at a time, unpadded."""
        out = [torch.zeros(batch["label_mask"].shape) for _ in range(4)]
        for group in batch["groups"]:
            images = list(group["inputs"].get("pixel_values", []))
            for local, sequence in enumerate(group["sequences"].tolist()):
                length = int(group["inputs"]["attention_mask"][local].sum())
                ids = group["inputs"]["input_ids"][local : local + 1, :length]
                inputs = {"input_ids": ids}
                if images:
                    inputs["pixel_values"] = images[local][None]
                start, n = int(batch["starts"][sequence]), int(batch["label_mask"][sequence].sum())
                assert start + n == length
                places = slice(start - 1, start + n - 1)
                with torch.no_grad(), model.disable_adapter():
                    ref = model(**inputs).logits[0, places]
                policy = model(**inputs).logits[0, places]
                for each, values in zip(out, token_stats(policy, ref, ids[0, start:]), strict=True):
                    each[sequence, :n] = values
        return out

    fast, slow = scorer(model, model, batch), plain()
    for one, other in zip(fast, slow, strict=True):
        assert torch.allclose(one, other, atol=2e-5)
    weights = [each for name, each in model.named_parameters() if "lora_" in name]
    gradients = []
    for stats in (fast, type(fast)(*slow)):
        chosen, rejected, corrupted = split_answers(stats, batch)
        loss = preference_loss(PRESETS["medpref"], chosen, rejected, corrupted, batch["row_weights"]).loss
        gradients.append(torch.autograd.grad(loss, weights))
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_logits_that_are_more_than_the_head_are_taken_from_the_model(
    adapted: PeftModel, processor: Any, rows: list[dict[str, Any]]
) -> None:
    model = perturb(adapted)
    batch = PreferenceCollator(processor)(rows)
    expected = ResponseScorer(model)(model, model, batch)
    inner = model.get_base_model()
    forward = inner.forward

    def capped(*arguments: Any, **options: Any) -> Any:
        out = forward(*arguments, **options)
        out.logits = 5 * torch.tanh(out.logits / 5)
        return out

    inner.forward = capped
    scorer = ResponseScorer(model)
    assert not scorer.uses_head
    stats = scorer(model, model, batch)
    assert torch.isfinite(stats.logps).all()
    assert not torch.allclose(stats.logps, expected.logps, atol=1e-4)


def test_a_row_scores_the_same_in_any_company(adapted: PeftModel, processor: Any, rows: list[dict[str, Any]]) -> None:
    model = perturb(adapted)
    collate = PreferenceCollator(processor)
    scorer = ResponseScorer(model)

    def loss_of(part: list[dict[str, Any]]) -> torch.Tensor:
        batch = collate(part)
        chosen, rejected, corrupted = split_answers(scorer(model, model, batch), batch)
        return preference_loss(PRESETS["medpref"], chosen, rejected, corrupted, batch["row_weights"]).rows.detach()

    together = loss_of(rows)
    alone = torch.cat([loss_of([row]) for row in rows])
    assert torch.allclose(together, alone, atol=1e-5)


# --- the function that the pipeline calls -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result(pairs: Path, tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> TrainResult:
    return train(pairs, tmp_path_factory.mktemp("run") / "adapter", model=str(tiny_model), **QUICK)


def test_a_run_leaves_adapter_settings_log_metrics_and_a_readme(result: TrainResult, tiny_model: Path) -> None:
    names = {path.name for path in result.adapter_dir.iterdir()}
    assert names == {
        "adapter_model.safetensors", "adapter_config.json", "settings.json", "log.jsonl", "metrics.json", "README.md",
        "curves.png",
    }  # fmt: skip
    assert (result.n_rows, result.steps, result.refused, result.warnings) == (5, 3, {}, ())
    lines = [json.loads(line) for line in (result.adapter_dir / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3]
    metrics = json.loads((result.adapter_dir / "metrics.json").read_text())
    assert metrics["history"] == lines
    assert {f"eval_{name}" for name in NAMES} - {"eval_logps/rejected_corrupted"} <= set(metrics)
    told = json.loads((result.adapter_dir / "settings.json").read_text())
    assert told["objective"]["beta"] == 0.1
    readme = (result.adapter_dir / "README.md").read_text()
    assert "after the abstract of arXiv 2606.12590" in readme
    assert str(tiny_model) in readme
    assert told["dataset_fingerprint"] in readme
    with quiet():
        base = AutoModelForImageTextToText.from_pretrained(tiny_model)
        model = PeftModel.from_pretrained(base, result.adapter_dir)
    assert any("lora_B" in name and parameter.any() for name, parameter in model.named_parameters())


def test_a_run_keeps_the_terminal_clean(
    pairs: Path, tmp_path: Path, tiny_model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train(pairs, tmp_path / "adapter", model=str(tiny_model), **QUICK)
    assert capfd.readouterr() == ("", "")


def test_the_same_arguments_give_the_same_adapter_and_a_killed_run_resumes_to_it(
    result: TrainResult, pairs: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = tmp_path / "resumed"
    log = PreferenceTrainer.log

    def die_at_the_third_step(self: Any, logs: dict[str, float], start_time: float | None = None) -> None:
        if self.state.global_step == 3:
            raise KeyboardInterrupt
        log(self, logs, start_time)

    monkeypatch.setattr(PreferenceTrainer, "log", die_at_the_third_step)
    with pytest.raises(KeyboardInterrupt):
        train(pairs, resumed, model=str(tiny_model), save_steps=1, **QUICK)
    monkeypatch.undo()
    assert not (resumed / "adapter_model.safetensors").exists()
    with pytest.raises(TrainError, match="was begun with lora_alpha 8, not 16"):
        train(pairs, resumed, model=str(tiny_model), resume=True, **{**QUICK, "lora_alpha": 16})
    with pytest.raises(TrainError, match="already holds a run; resume it, or choose another folder"):
        train(pairs, resumed, model=str(tiny_model), **QUICK)
    again = train(pairs, resumed, model=str(tiny_model), save_steps=1, resume=True, **QUICK)
    names = sorted(path.name for path in result.adapter_dir.iterdir())
    assert names == sorted(path.name for path in resumed.iterdir())
    assert all((resumed / name).read_bytes() == (result.adapter_dir / name).read_bytes() for name in names)
    assert train(pairs, resumed, model=str(tiny_model), resume=True, **QUICK) == again  # done: nothing runs


def _log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_gradient_checkpointing_changes_memory_and_nothing_else(
    result: TrainResult, pairs: Path, tmp_path: Path, tiny_model: Path
) -> None:
    other = train(pairs, tmp_path / "other", model=str(tiny_model), gradient_checkpointing=True, **QUICK)
    one, two = (load_file(each.adapter_dir / "adapter_model.safetensors") for each in (result, other))
    assert one.keys() == two.keys()
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)


def test_bf16_trains(pairs: Path, tmp_path: Path, tiny_model: Path) -> None:
    result = train(pairs, tmp_path / "adapter", model=str(tiny_model), **{**QUICK, "precision": "bf16", "max_steps": 2})
    first = _log(tmp_path / "adapter")[0]
    assert first["kl/forward_sum"] == first["margin"] == 0.0
    assert result.metrics["loss"] < first["loss"]


def test_rows_that_cannot_train_are_counted_by_reason(
    tmp_path: Path, save_pairs: SavePairs, make_pair: MakePair, tiny_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        make_pair(0),
        make_pair(1, weight=0.0),
        make_pair(2, weight=0.0),
        make_pair(3, chosen_spans=[], rejected_spans=[]),
    ]
    pairs = save_pairs(tmp_path / "pairs", train=rows)
    with caplog.at_level(logging.WARNING):
        result = train(pairs, tmp_path / "adapter", model=str(tiny_model), **{**QUICK, "max_steps": 1})
    assert result.refused == {"weight_zero": 2, "no_spans": 1}
    assert result.n_rows == 1
    assert "| left out | 1 no_spans, 2 weight_zero |" in (tmp_path / "adapter" / "README.md").read_text()
    assert "train: 3 of 4 rows left out: no_spans 1, weight_zero 2" in caplog.messages


def test_it_warns_once_of_nothing_that_holds_and_of_chosen_answers_that_fall(
    pairs: Path, tmp_path: Path, tiny_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = {**QUICK, "max_steps": 4, "chosen_drop_nats": -100.0}  # below any gain: every step is a fall
    result = train(pairs, tmp_path / "adapter", model=str(tiny_model), preset="dpo", **options)
    assert len(result.warnings) == 2
    assert "ground/margin" not in _log(tmp_path / "adapter")[0]  # dpo does not ground in training
    assert result.metrics["eval_share/grounded"] == 0.5  # and is measured as what does
    assert result.warnings[0].startswith("no KL and no anchor")
    assert "nats less likely than at the start (step 1)" in result.warnings[1]
    card = (tmp_path / "adapter" / "README.md").read_text()
    assert all(f"- {warning}\n" in card for warning in result.warnings)


def test_tiny_llava_needs_no_model(pairs: Path, tmp_path: Path) -> None:
    result = train(pairs, tmp_path / "adapter", model="tiny-llava", **{**QUICK, "max_steps": 1})
    assert (result.adapter_dir / "tiny-llava" / "model.safetensors").is_file()
    card = (result.adapter_dir / "README.md").read_text()
    used = card.split("```python\n")[1].split("```")[0].replace("path/to/this/folder", str(result.adapter_dir))
    with quiet():
        exec(compile(used, "README.md", "exec"), names := {})
    assert isinstance(names["model"], PeftModel)


def weights_load(*_: Any, **__: Any) -> None:
    raise AssertionError("weights were loaded before the refusal")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tune": "full"}, "tune full is not possible under FSDP: use tune lora, or DDP"),
        ({"reference_cache": "x"}, "reference_cache is not possible under FSDP: use DDP, or no cache"),
        ({"quantization": "4bit"}, "quantization 4bit is not possible under FSDP: use DDP"),
    ],
)
def test_what_fsdp_excludes_is_one_line_before_any_work(
    pairs: Path, tmp_path: Path, options: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(TrainError, match=says):
        train(pairs, tmp_path / "adapter", model="/nowhere", **{**QUICK, **options})
    assert not (tmp_path / "adapter").exists()


def test_a_model_without_image_input_is_one_line_before_its_weights(
    pairs: Path, tmp_path: Path, processor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    tokenizer = processor.tokenizer
    with quiet():
        LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(tmp_path / "text")
        tokenizer.save_pretrained(tmp_path / "text")
        (tmp_path / "text" / "chat_template.jinja").write_text(processor.chat_template)
    monkeypatch.setattr(run_module, "load_base_model", weights_load)
    with pytest.raises(TrainError, match=r"text \(llama\) takes no images; train needs an image-text-to-text") as error:
        train(pairs, tmp_path / "adapter", model=str(tmp_path / "text"), **QUICK)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": "/nowhere/at/all"}, "there is no model folder /nowhere/at/all"),
        ({"model": "no-such-model"}, "cannot load the processor of 'no-such-model'"),
        ({"preset": "ppo"}, "no preset named 'ppo'"),
        ({"objective": {"beta": -1.0}}, "beta must be finite and above 0"),
        ({"max_steps": 0}, "max_steps must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be finite and above 0"),
        ({"precision": "int4"}, "precision must be one of fp32, bf16, fp16, got 'int4'"),
        ({"tune": "head"}, "tune must be one of lora, full, got 'head'"),
        ({"tune": "full", "quantization": "4bit"}, "quantization 4bit trains an adapter only: use tune lora"),
        ({"tune": "full", "reference_cache": "x"}, "reference_cache needs a head that stays as it is"),
        ({"report_to": ("wandb",)}, "report_to wandb needs wandb: pip install wandb"),
        ({"report_to": ("paper",)}, "report_to must be of mlflow, tensorboard, trackio, wandb, got 'paper'"),
        ({"max_answer_tokens": 0}, "max_answer_tokens must be at least 1, got 0"),
        ({"preset": "tisdpo"}, "needs the column 'chosen_token_weights' in the dataset"),
        ({"streaming": True, "max_steps": None}, "streaming needs max_steps: a stream has no length"),
        (
            {"streaming": True, "group_by_length": True},
            "group_by_length needs the length of every row before the first",
        ),
        ({"streaming": True, "reference_cache": "x"}, "reference_cache keeps rows by their number"),
        ({"objective": {"kl_form": "jensen_shannon", "alpha_forward": 0.1}}, "needs alpha_forward = alpha_reverse"),
        ({"objective": {"betta": 1.0}}, "no setting named 'betta'; there are: alpha_forward"),
    ],
)
def test_a_user_s_mistake_is_one_line_before_any_work(
    pairs: Path,
    tmp_path: Path,
    tiny_model: Path,
    options: dict[str, Any],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_module, "load_base_model", weights_load)
    with pytest.raises((TrainError, ModelError), match=says) as error:
        train(pairs, tmp_path / "adapter", **{"model": str(tiny_model), **QUICK, **options})
    assert "\n" not in str(error.value)


def test_a_dataset_without_rows_or_columns_is_refused(
    tmp_path: Path, save_pairs: SavePairs, tiny_model: Path, make_pair: MakePair, processor: Any
) -> None:
    with pytest.raises(DatasetError):
        train(tmp_path / "nothing", tmp_path / "adapter", model=str(tiny_model), **QUICK)
    columns = features()
    nothing = Dataset.from_dict({name: [] for name in columns}, features=columns)
    with pytest.raises(TrainError, match="split 'train' has nothing to train on: it has no rows"):
        trainable_rows(nothing, RowEncoder(processor), needs_spans=True, split="train")
    only_eval = save_pairs(tmp_path / "only", eval=[make_pair()])
    with pytest.raises(TrainError, match="has no split 'train', only eval"):
        train(only_eval, tmp_path / "adapter", model=str(tiny_model), **QUICK)


def test_a_processor_that_needs_torchvision_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoProcessor

    def refuse(*_: Any, **__: Any) -> None:
        raise ImportError("\nQwen2VLVideoProcessor requires the Torchvision library but it was not found.\n")

    monkeypatch.setattr(AutoProcessor, "from_pretrained", refuse)
    with pytest.raises(
        ModelError, match="the processor of 'some/model' cannot be loaded without torchvision: pip install torchvision"
    ):
        load_processor("some/model")


def test_an_empty_split_is_one_line(tmp_path: Path, save_pairs: SavePairs, tiny_model: Path) -> None:
    empty = save_pairs(tmp_path / "pairs", train=[])
    with pytest.raises(DatasetError, match="a split has no rows; leave it out or build it again"):
        train(empty, tmp_path / "adapter", model=str(tiny_model), **QUICK)
    (tmp_path / "parquet").mkdir()
    Dataset.from_dict({name: [] for name in features()}, features=features()).to_parquet(
        str(tmp_path / "parquet" / "train-00000.parquet")
    )
    with pytest.raises(DatasetError, match='cannot be read: Instruction "train" corresponds to no data'):
        train(tmp_path / "parquet", tmp_path / "adapter", model=str(tiny_model), **QUICK)


def test_the_language_model_itself_trains_beside_a_frozen_copy(pairs: Path, tmp_path: Path, tiny_model: Path) -> None:
    options = {**QUICK, "learning_rate": 1e-3, "max_steps": 2}
    result = train(pairs, tmp_path / "model", model=str(tiny_model), tune="full", **options)
    first = _log(tmp_path / "model")[0]
    assert first["margin"] == first["kl/forward_sum"] == 0.0
    assert result.metrics["loss"] < first["loss"]
    before = AutoModelForImageTextToText.from_pretrained(tiny_model)
    after = AutoModelForImageTextToText.from_pretrained(result.adapter_dir)
    changed = {name for name, value in after.state_dict().items() if not torch.equal(value, before.state_dict()[name])}
    language = {name for name, _ in before.named_parameters() if "vision" not in name and "projector" not in name}
    assert changed == language
    assert "the whole language model" in (result.adapter_dir / "README.md").read_text()


def test_evaluation_on_the_way_and_batches_of_like_length(pairs: Path, tmp_path: Path, tiny_model: Path) -> None:
    train(pairs, tmp_path / "adapter", model=str(tiny_model), eval_steps=1, group_by_length=True, **QUICK)
    evaluated = [line["step"] for line in _log(tmp_path / "adapter") if "eval_margin" in line]
    assert evaluated == [1, 2, 3]  # the last step's is the final one


def test_curves_are_a_picture(result: TrainResult, tmp_path: Path) -> None:
    from PIL import Image, ImageColor

    from medprefkit.train.curves import COLOURS, draw_curves

    with Image.open(result.adapter_dir / "curves.png") as picture:
        assert picture.size == (1800, 720)
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}
    for wanted in map(ImageColor.getrgb, COLOURS):  # five terms, five lines, each of its colour but for smoothing
        assert min(max(abs(a - b) for a, b in zip(wanted, each, strict=True)) for each in colours) < 40
    one = {"step": 3, "loss/total": 0.0}
    many = [{"step": step, "loss/total": 1e-7 * step, "kl/forward_mean": 5e6} for step in range(200)]
    for number, history in enumerate(([], [one], [one, one], many)):  # nothing, a point, a level, very small and large
        draw_curves(history, tmp_path / f"{number}.png")
    assert (tmp_path / "0.png").read_bytes() != (tmp_path / "1.png").read_bytes()


def test_speed_and_memory_reach_callbacks_and_no_file(
    pairs: Path, tmp_path: Path, adapted: PeftModel, processor: Any, rows: list[dict[str, Any]]
) -> None:
    from transformers import TrainerCallback

    seen: list[dict[str, float]] = []

    class Logger(TrainerCallback):
        def on_log(self, *_: Any, logs: dict[str, float], **__: Any) -> None:
            seen.append(logs)

    trainer = PreferenceTrainer(
        model=adapted,
        args=TrainingArguments(
            output_dir=str(tmp_path / "out"),
            max_steps=1,
            remove_unused_columns=False,
            use_cpu=True,
            dataloader_pin_memory=False,
            save_strategy="no",
            report_to=[],
        ),
        collator=PreferenceCollator(processor),
        settings=PRESETS["medpref"],
        train_dataset=rows,
        callbacks=[Logger()],
    )
    trainer.args.logging_steps = 1
    trainer.state.logging_steps = 1
    trainer.train()
    assert trainer.n_response_tokens > 0
    assert not any(name in line for line in trainer.state.log_history for name in SPEED)
    assert all(seen[0][name] > 0 for name in SPEED)
    estimate = trainer.memory_estimate(rows[0])
    assert estimate.total > estimate.weights > 4 * 150_000
    assert str(estimate).startswith("about 0.")


@pytest.mark.parametrize("preset", sorted(set(PRESETS) - {"tisdpo"}))
def test_every_preset_has_the_gradient_of_the_plain_path(
    adapted: PeftModel, processor: Any, rows: list[dict[str, Any]], preset: str
) -> None:
    """What a preset does not ask of the KLs is not computed: nothing of its gradient may be missing."""
    model, settings = perturb(adapted), PRESETS[preset]
    against = settings.ground_against
    batch = PreferenceCollator(processor, corrupted=settings.grounding_weight > 0, corrupted_answer=against)(rows)
    scorer = ResponseScorer(model)
    weights = [each for name, each in model.named_parameters() if "lora_" in name]
    results = []
    for plan in (kl_plan(settings, len(rows)), None):  # None: every KL of every sequence, with its gradients
        chosen, rejected, corrupted = split_answers(scorer(model, model, batch, plan), batch)
        loss = preference_loss(settings, chosen, rejected, corrupted, batch["row_weights"]).loss
        results.append([loss, *torch.autograd.grad(loss, weights)])
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other, atol=1e-7)


def test_tisdpo_reads_the_weights_of_tokens_from_the_dataset(
    tmp_path: Path, save_pairs: SavePairs, make_pair: MakePair, tiny_model: Path, processor: Any
) -> None:
    from datasets import load_from_disk

    row = make_pair(0)
    encoding = RowEncoder(processor).encode(row, needs_spans=False)
    n = {side: len(getattr(encoding, side).input_ids) for side in ("chosen", "rejected")}
    splits = load_from_disk(str(save_pairs(tmp_path / "plain", train=[row, make_pair(1)])))
    for side, count in n.items():
        column = [[0.5] * count, [1.0] * (count + 1)]  # the second row's do not fit
        splits["train"] = splits["train"].add_column(f"{side}_token_weights", column)
    splits.save_to_disk(str(tmp_path / "weighted"))
    result = train(tmp_path / "weighted", tmp_path / "adapter", model=str(tiny_model), preset="tisdpo", **QUICK)
    assert result.refused == {"token_weights_mismatch": 1}
    assert result.metrics["loss"] < 0.69
