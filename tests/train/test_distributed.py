"""Two processes: the gradients of their rows are averaged, as they are not where a loss goes around the wrapper."""

import json
import os
import socket
import subprocess
import sys
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


def launched(config: str, *arguments: str, script: str = "") -> subprocess.CompletedProcess[str]:
    """Run `medprefkit` as a user's two processes, without a GPU."""
    root = Path(__file__).parents[2]
    program = [str(Path(__file__).with_name(script))] if script else ["-m", "medprefkit"]
    command = [
        sys.executable, "-m", "accelerate.commands.launch",
        "--config_file", str(root / "recipes" / "accelerate" / config),
        "--main_process_port", str(free_port()), *program, "train", *arguments,
    ]  # fmt: skip
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def _log(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


TOLD = (
    "--max-steps", "3", "--gradient-accumulation", "1", "--lora-r", "4", "--lora-alpha", "8", "--learning-rate", "1e-2",
    "--precision", "fp32",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("config", "script"), [("ddp.yaml", ""), ("fsdp.yaml", "fsdp_on_cpu.py")])
def test_the_shipped_configs_launch_runs_that_equal_one_process(
    tmp_path: Path,
    tiny_model: Path,
    make_pair: Callable[..., dict[str, Any]],
    make_text_pair: Callable[..., dict[str, Any]],
    save_pairs: Callable[..., Path],
    config: str,
    script: str,
) -> None:
    """Rows with and without images, so that the processes make unequal numbers of passes."""
    rows = [(make_text_pair if index in (0, 3, 5, 6) else make_pair)(index) for index in range(12)]
    pairs = save_pairs(tmp_path / "pairs", train=rows, eval=rows[:4])
    train(pairs, tmp_path / "one", model=str(tiny_model), batch_size=4, **OPTIONS)
    told = (str(pairs), "--model", str(tiny_model), "--out", str(tmp_path / "two"), "--batch-size", "2", *TOLD)
    done = launched(config, *told, script=script)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (done.stdout + done.stderr).count("tokens a second") == 1  # one process speaks
    one, two = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    # Adam's first steps make of a gradient's rounding up to a hundredth of a step of 1e-2
    assert all(torch.allclose(one[name], two[name], atol=5e-4) for name in one)
    for line, other in zip(*((_log(tmp_path / name)) for name in ("one", "two")), strict=True):
        assert other == pytest.approx(line, abs=1e-4, rel=1e-4)
    first, second = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("one", "two"))
    for name, value in first.items():
        if name.startswith("eval_"):
            assert second[name] == pytest.approx(value, abs=1e-4), name


@pytest.mark.slow
def test_two_processes_stream_and_resume(
    tmp_path: Path, tiny_model: Path, make_pair: Callable[..., dict[str, Any]], save_pairs: Callable[..., Path]
) -> None:
    pairs = save_pairs(tmp_path / "pairs", train=[make_pair(index, weight=1.0 + index) for index in range(7)])
    told = (
        str(pairs), "--model", str(tiny_model), "--batch-size", "1", "--streaming", "--save-steps", "2", *TOLD,
    )  # fmt: skip
    whole = launched("ddp.yaml", *told, "--out", str(tmp_path / "whole"))
    assert whole.returncode == 0, whole.stderr[-3000:]
    assert json.loads((tmp_path / "whole" / "metrics.json").read_text())["n_rows"] == 6  # 3 steps of 2 processes
    killed = launched("ddp.yaml", *told, "--out", str(tmp_path / "again"), script="killed.py")
    assert killed.returncode != 0
    assert not (tmp_path / "again" / "metrics.json").exists()
    done = launched("ddp.yaml", *told, "--out", str(tmp_path / "again"), "--resume")
    assert done.returncode == 0, done.stderr[-3000:]
    names = ("adapter_model.safetensors", "log.jsonl")
    assert all((tmp_path / "whole" / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in names)


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
    (tmp_path / "port").write_text(str(free_port()))
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
