"""QLoRA with the real library, on a CPU too: the base in four or eight bits, the adapter in float32 beside it."""

import importlib.util
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForImageTextToText

from medprefkit.errors import TrainError
from medprefkit.models.loading import load_base_model, quiet
from medprefkit.train.options import TrainOptions
from medprefkit.train.run import train

IS_THERE = importlib.util.find_spec("bitsandbytes") is not None
needs_it = pytest.mark.skipif(not IS_THERE, reason="needs bitsandbytes: pip install -e '.[qlora]'")

TOLD: dict[str, Any] = {
    "max_steps": 3, "batch_size": 2, "gradient_accumulation": 1, "lora_r": 4, "lora_alpha": 8, "learning_rate": 1e-2,
    "precision": "fp32",
}  # fmt: skip


@pytest.fixture(autouse=True)
def library_s_own_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="bitsandbytes")
        yield


@needs_it
@pytest.mark.slow
@pytest.mark.parametrize(("quantization", "dtype"), [("4bit", torch.uint8), ("8bit", torch.int8)])
@pytest.mark.parametrize("gradient_checkpointing", [False, True])
def test_a_quantized_base_trains_an_adapter_that_loads_on_the_plain_one(
    tmp_path: Path,
    tiny_model: Path,
    make_pair: Callable[..., dict[str, Any]],
    make_text_pair: Callable[..., dict[str, Any]],
    save_pairs: Callable[..., Path],
    quantization: Any,
    dtype: torch.dtype,
    gradient_checkpointing: bool,
) -> None:
    base = load_base_model(str(tiny_model), precision="fp32", quantization=quantization)
    decoder = base.get_decoder()
    assert {layer.self_attn.q_proj.weight.dtype for layer in decoder.layers} == {dtype}
    assert base.get_output_embeddings().weight.dtype == torch.float32  # log-probabilities come from an exact head
    pairs = save_pairs(tmp_path / "pairs", train=[make_pair(0), make_text_pair(1), make_pair(2), make_pair(3)])
    result = train(
        pairs, tmp_path / "adapter", model=str(tiny_model), quantization=quantization,
        gradient_checkpointing=gradient_checkpointing, **TOLD,
    )  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "adapter" / "log.jsonl").read_text().splitlines()]
    assert lines[0]["margin"] == lines[0]["kl/forward_sum"] == 0.0  # the reference is the same quantized base
    assert lines[2]["loss/total"] < lines[0]["loss/total"]
    with quiet():
        plain = AutoModelForImageTextToText.from_pretrained(tiny_model)
        model = PeftModel.from_pretrained(plain, result.adapter_dir)
    moved = [parameter for name, parameter in model.named_parameters() if "lora_B" in name]
    assert len(moved) == 14
    assert all(bool(parameter.any()) and parameter.dtype == torch.float32 for parameter in moved)


@pytest.mark.skipif(IS_THERE, reason="bitsandbytes is installed")
def test_without_the_library_it_is_one_line_that_names_the_extra() -> None:
    with pytest.raises(TrainError, match=r"quantization 4bit needs bitsandbytes: pip install 'medprefkit\[qlora\]'"):
        TrainOptions(model="any", quantization="4bit")
