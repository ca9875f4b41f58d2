"""A tiny model that was taught wrong answers goes through two rounds: it answers, learns, answers anew, and resumes."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from made_models import build_tiny

from medprefkit import pipeline
from medprefkit.errors import ModelError, RecipeError, RunError
from medprefkit.models.loading import load_base_model, load_processor, quiet
from medprefkit.recipe import Recipe, parse_recipe
from medprefkit.records import Answer
from medprefkit.rounds import run_rounds
from medprefkit.store import RunDir

TAUGHT = {
    "Is there a pleural effusion?": ("No", "Yes, there is a pleural effusion."),
    "Is the heart enlarged?": ("No", "Yes, the heart is enlarged."),
    "Is there a pneumothorax?": ("Yes", "No, there is no pneumothorax."),
    "Which lobe is affected?": ("Right upper lobe", "Left upper lobe."),
}


def teach(folder: Path) -> Path:
    """Make the tiny model answer as taught: supervised, a minute's fraction, nothing that the package ships."""
    build_tiny(folder)
    processor = load_processor(str(folder))
    tokenizer = processor.tokenizer
    with quiet():
        model = load_base_model(str(folder), precision="fp32")
    rows = []
    for prompt, (_, answer) in TAUGHT.items():
        turn = [{"role": "user", "content": [{"type": "text", "text": prompt}]}]
        text = processor.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
        asked = tokenizer(text, add_special_tokens=False)["input_ids"]
        said = tokenizer(answer + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
        rows.append((torch.tensor([asked + said]), torch.tensor([[-100] * len(asked) + said])))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(120):
        ids, labels = rows[step % len(rows)]
        loss = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with quiet():
        model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return teach(tmp_path_factory.mktemp("taught") / "taught")


def recipe(root: Path, model: Path, **changes: Any) -> Recipe:
    with (root / "rows.jsonl").open("w") as file:
        for k, (prompt, (reference, _)) in enumerate(list(TAUGHT.items()) * 3):
            file.write(json.dumps({"id": f"q{k}", "prompt": prompt, "reference": reference}) + "\n")
    columns = {"id": "id", "image": None, "answer": None}
    data = {
        "recipe_version": "1.0",
        "name": "rounds",
        "shards": 2,
        "rounds": 2,
        "data_root": str(root),
        "max_dropped_share": 1.0,
        "sources": [
            {
                "format": "table", "path": "rows.jsonl", "name": "rows", "licence": "CC0", "task": "vqa",
                "columns": columns,
            }
        ],
        "generate": {
            "use": "transformers",
            "with": {"model": str(model), "precision": "fp32", "max_new_tokens": 40, "temperature": 0.5},
        },
        "build": {"max_edited_share": 1.0, "eval_share": 0.2},
        "publish": {"title": "Rounds"},
        "train": {
            "model": str(model), "precision": "fp32", "max_steps": 8, "learning_rate": 5e-3, "batch_size": 4,
            "gradient_accumulation": 1, "lora_r": 4, "lora_alpha": 8,
        },
    }  # fmt: skip
    return parse_recipe(data | changes, where="test")


def answers(root: Path) -> list[Answer]:
    return list(RunDir(root, n_shards=2).in_order("generate", Answer))


@pytest.mark.slow
def test_each_round_answers_with_the_adapter_of_the_one_before(taught: Path, tmp_path: Path) -> None:
    made = recipe(tmp_path, taught)
    lines = run_rounds(made, tmp_path / "run")
    assert [line.split()[0] for line in lines][-2:] == ["numbers", "plot"]
    first, second, last = (answers(tmp_path / "run" / name) for name in ("round-1", "round-2", "closing"))
    revisions = [answered[0].revision for answered in (first, second, last)]
    assert revisions[1].startswith(f"{revisions[0]}+")
    assert len(set(revisions)) == 3
    assert {answer.model for answer in (*first, *second, *last)} == {"taught"}
    told = [json.loads((tmp_path / "run" / f"round-{k}" / "train" / "settings.json").read_text()) for k in (1, 2)]
    assert told[0]["start_adapter"] is None
    assert told[1]["start_adapter"] == revisions[1].split("+")[1]
    numbers = json.loads((tmp_path / "run" / "rounds.json").read_text())
    assert [line["step"] for line in numbers] == [1, 2, 3]
    assert numbers[0]["wrong_share/train"] > 0.5
    assert (tmp_path / "run" / "rounds.png").stat().st_size > 1000
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*.json") if path.is_file()}
    run_rounds(made, tmp_path / "run", resume=True)
    assert {path: path.read_bytes() for path in before} == before
    with pytest.raises(RunError, match="--resume continues it"):
        run_rounds(made, tmp_path / "run")


def test_a_taught_model_answers_byte_for_byte_and_a_stage_alone_refuses_rounds(taught: Path, tmp_path: Path) -> None:
    made = recipe(tmp_path, taught, rounds=None, generate={
        "use": "transformers", "with": {"model": str(taught), "precision": "fp32", "max_new_tokens": 40},
    })  # fmt: skip
    for stage in ("sources", "generate"):
        pipeline.run_stage(stage, made, tmp_path / "run")  # type: ignore[arg-type]  # two of the stages
    said = answers(tmp_path / "run")
    assert [answer.text for answer in said[:4]] == [answer for _, answer in TAUGHT.values()]
    assert {(answer.finish_reason, answer.sampling.seed if answer.sampling else None) for answer in said} == {
        ("stop", 0)
    }
    with pytest.raises(RunError, match="is a recipe of rounds"):
        pipeline.run_stage("sources", recipe(tmp_path, taught), tmp_path / "other")


def test_an_answer_that_does_not_end_is_dropped_with_the_limit(taught: Path, tmp_path: Path) -> None:
    options = {"model": str(taught), "precision": "fp32", "max_new_tokens": 2}
    made = recipe(tmp_path, taught, rounds=None, generate={"use": "transformers", "with": options})
    for stage in ("sources", "generate"):
        pipeline.run_stage(stage, made, tmp_path / "run")  # type: ignore[arg-type]  # two of the stages
    drops = list(RunDir(tmp_path / "run", n_shards=2).dropped("generate"))
    assert {(drop.reason, drop.detail) for drop in drops} == {
        ("answer_truncated", "no end within max_new_tokens 2; raise it")
    }


def test_a_folder_without_an_adapter_and_a_generator_that_can_load_none_are_one_line(
    taught: Path, tmp_path: Path
) -> None:
    made = recipe(tmp_path, taught, rounds=None, policy=str(tmp_path))
    with pytest.raises(ModelError, match="holds no adapter"):
        pipeline.run_stage("sources", made, tmp_path / "run")
    with pytest.raises(RecipeError, match=r"rounds need generate\.use transformers"):
        recipe(tmp_path, taught, generate={"use": "scripted"})
    with pytest.raises(RecipeError, match=r"policy needs generate\.use transformers"):
        recipe(tmp_path, taught, rounds=None, generate={"use": "scripted"}, policy=str(tmp_path))
