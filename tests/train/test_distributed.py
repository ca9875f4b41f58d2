"""Two processes: the gradients of their rows are averaged, as they are not where a loss goes around the wrapper."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from transformers import AutoProcessor

from medprefkit.train.collate import PreferenceCollator
from medprefkit.train.forward import ResponseScorer
from medprefkit.train.lora import add_lora, load_base_model
from medprefkit.train.losses import preference_loss
from medprefkit.train.presets import PRESETS
from medprefkit.train.trainer import split_answers


def adapted(model_dir: str) -> Any:
    torch.manual_seed(0)
    model = add_lora(load_base_model(model_dir, precision="fp32"), r=4, alpha=8)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


def backward(wrapped: Any, model: Any, processor: Any, rows: list[dict[str, Any]], *, share: bool) -> torch.Tensor:
    batch = PreferenceCollator(processor, share_prompts=share)(rows)
    chosen, rejected, corrupted = split_answers(ResponseScorer(model)(wrapped, model, batch), batch)
    preference_loss(PRESETS["medpref"], chosen, rejected, corrupted, batch["row_weights"]).loss.backward()
    return torch.cat([each.grad.flatten() for each in model.parameters() if each.grad is not None])


def work(rank: int, folder: str, model_dir: str, rows: list[dict[str, Any]]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    model = adapted(model_dir)
    processor = AutoProcessor.from_pretrained(model_dir)
    for share in (False, True):
        model.zero_grad()
        wrapped = DistributedDataParallel(model)
        gradient = backward(wrapped, model, processor, rows[2 * rank : 2 * rank + 2], share=share)
        torch.save(gradient, f"{folder}/gradient_{rank}_{share}.pt")
    os._exit(0)  # gloo's threads may outlive a tidy exit


@pytest.mark.slow
def test_two_processes_get_the_gradient_of_all_rows(
    tmp_path: Path, tiny_model: Path, make_pair: Callable[..., dict[str, Any]]
) -> None:
    rows = [make_pair(index) for index in range(4)]
    torch.multiprocessing.spawn(work, (str(tmp_path), str(tiny_model), rows), nprocs=2)
    model = adapted(str(tiny_model))
    expected = backward(model, model, AutoProcessor.from_pretrained(tiny_model), rows, share=False)
    for rank in (0, 1):
        for share in (False, True):
            gradient = torch.load(tmp_path / f"gradient_{rank}_{share}.pt")
            assert torch.allclose(gradient, expected, atol=1e-6)
