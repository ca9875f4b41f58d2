"""Two processes: the gradients of their rows are averaged, as they are not where a loss goes around the wrapper."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch.nn.parallel import DistributedDataParallel
from transformers import AutoProcessor

from medprefkit.models.loading import load_base_model
from medprefkit.train.collate import PreferenceCollator
from medprefkit.train.forward import ResponseScorer
from medprefkit.train.lora import add_lora
from medprefkit.train.losses import preference_loss
from medprefkit.train.presets import PRESETS
from medprefkit.train.run import train
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


def shard_and_work(rank: int, folder: str, model_dir: str, rows: list[dict[str, Any]]) -> None:
    from torch.distributed.fsdp import fully_shard

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    mesh = dist.device_mesh.init_device_mesh("cpu", (2,))
    model = adapted(model_dir)
    processor = AutoProcessor.from_pretrained(model_dir)
    scorer = ResponseScorer(model)
    for layer in model.get_base_model().get_decoder().layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    batch = PreferenceCollator(processor, share_prompts=True)(rows[2 * rank : 2 * rank + 2])
    chosen, rejected, corrupted = split_answers(scorer(model, model, batch), batch)
    preference_loss(PRESETS["medpref"], chosen, rejected, corrupted, batch["row_weights"]).loss.backward()
    gradients = [each.grad.full_tensor().flatten() for each in model.parameters() if each.grad is not None]
    torch.save(torch.cat(gradients), f"{folder}/gradient_{rank}.pt")
    os._exit(0)


@pytest.mark.slow
def test_two_processes_that_share_one_model_get_the_gradient_of_all_rows(
    tmp_path: Path, tiny_model: Path, make_pair: Callable[..., dict[str, Any]]
) -> None:
    rows = [make_pair(index) for index in range(4)]
    torch.multiprocessing.spawn(shard_and_work, (str(tmp_path), str(tiny_model), rows), nprocs=2)
    model = adapted(str(tiny_model))
    expected = backward(model, model, AutoProcessor.from_pretrained(tiny_model), rows, share=False)
    for rank in (0, 1):
        assert torch.allclose(torch.load(tmp_path / f"gradient_{rank}.pt"), expected, atol=1e-6)


def launch(rank: int, folder: str, pairs: str, model_dir: str) -> None:
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": Path(folder, "port").read_text(), "ACCELERATE_USE_CPU": "true",
    }  # fmt: skip
    torch.set_num_threads(1)
    train(pairs, Path(folder, "two"), model=model_dir, batch_size=1, **OPTIONS)
    os._exit(0)


OPTIONS: dict[str, Any] = {
    "max_steps": 3, "gradient_accumulation": 1, "lora_r": 4, "lora_alpha": 8, "learning_rate": 1e-2,
    "precision": "fp32",
}  # fmt: skip


@pytest.mark.slow
def test_a_run_of_two_processes_is_the_run_of_one_with_their_rows(
    tmp_path: Path, tiny_model: Path, make_pair: Callable[..., dict[str, Any]], save_pairs: Callable[..., Path]
) -> None:
    pairs = save_pairs(tmp_path / "pairs", train=[make_pair(index) for index in range(6)])
    train(pairs, tmp_path / "one", model=str(tiny_model), batch_size=2, **OPTIONS)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        (tmp_path / "port").write_text(str(free.getsockname()[1]))
    torch.multiprocessing.spawn(launch, (str(tmp_path), str(pairs), str(tiny_model)), nprocs=2)
    one, two = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("one", "two"))
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)
    losses = [
        [json.loads(line)["loss/total"] for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


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
