"""Throughput of local generation: batched against one by one, and our loop against bare `model.generate`.

    python benchmarks/generate.py

A tiny LLaVA on this machine's CPU, one thread; goals: batched at least 2 times as fast, our loop at most 5 % slower.
Both sides sample as many tokens from the same prompts and images: the bare side is what a script would write, with the
same batches, the processor, `generate` with its own sampling, and decoding.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from medprefkit.lab.model import build_tiny_llava
from medprefkit.models.calls import CallStore
from medprefkit.models.desk import Desk
from medprefkit.models.loading import load_generator, load_processor, quiet
from medprefkit.models.local import LocalModel
from medprefkit.models.requests import Request, picture_of
from medprefkit.records import Sampling

PROMPT = "Describe the findings in this chest radiograph, number {}."
GOAL_SPEEDUP, GOAL_OVERHEAD = 2.0, 0.05


def main() -> None:
    """Print seconds and tokens a second of every way, and whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=32, help="answers")
    parser.add_argument("--tokens", type=int, default=64, help="new tokens an answer")
    parser.add_argument("--batch", type=int, default=16, help="answers a forward pass")
    parser.add_argument("--hidden", type=int, default=128, help="width of the model")
    parser.add_argument("--repeats", type=int, default=5)
    told = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = build_tiny_llava(
            Path(name) / "tiny", [PROMPT], hidden_size=told.hidden, n_layers=4, image_size_px=224, n_logits=8192
        )
        requests = make_requests(told.n, told.tokens)
        endless = LocalModel(str(folder), precision="fp32", batch_size=told.batch)
        one_by_one = LocalModel(str(folder), precision="fp32", batch_size=1)
        ways: dict[str, Callable[[], int]] = {
            "one by one": lambda: ours(one_by_one, requests),
            "batched": lambda: ours(endless, requests),
            "batched, kept in a call store": lambda: kept(endless, requests),
            "bare model.generate, batched": bare(folder, requests, told.batch),
        }
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        tokens: dict[str, int] = {}
        for _ in range(told.repeats + 1):  # in turn, so that a busy moment hits all alike; the first round warms up
            for way, run in ways.items():
                began = time.perf_counter()
                tokens[way] = run()
                seconds[way].append(time.perf_counter() - began)
    median = {way: statistics.median(taken[1:]) for way, taken in seconds.items()}
    for way, taken in median.items():
        print(f"{way:32} {taken:7.2f} s  {tokens[way] / taken:8.0f} tokens/s")
    rate = {way: tokens[way] / taken for way, taken in median.items()}
    speedup = rate["batched"] / rate["one by one"]
    overhead = rate["bare model.generate, batched"] / rate["batched, kept in a call store"] - 1.0
    print(f"batched is {speedup:.1f} times as fast as one by one (goal {GOAL_SPEEDUP}: {met(speedup >= GOAL_SPEEDUP)})")
    print(
        f"our loop takes {overhead:+.1%} of bare generate (goal {GOAL_OVERHEAD:.0%}: {met(overhead <= GOAL_OVERHEAD)})"
    )


def make_requests(n: int, n_tokens: int) -> list[Request]:
    """Return questions about images of noise."""
    noise = np.random.default_rng(0)
    return [
        Request(
            record_id=f"r{k}",
            prompt=PROMPT.format(k),
            pictures=(picture_of(noise.integers(0, 255, (256, 256, 3), dtype=np.uint8)),),
            sampling=Sampling(temperature=1.0, max_new_tokens=n_tokens, seed=k),
        )
        for k in range(n)
    ]


def ours(model: LocalModel, requests: Sequence[Request]) -> int:
    """Answer all; return the tokens made."""
    made: list[int] = []
    model.ask(requests, lambda _, reply: made.append(reply.completion_tokens))  # type: ignore[union-attr]  # no failure here
    return sum(made)


def kept(model: LocalModel, requests: Sequence[Request]) -> int:
    """Answer all through a fresh call store, as a run does."""
    with tempfile.TemporaryDirectory() as name:
        store = CallStore(Path(name) / "calls.sqlite", run="this")
        replies = Desk(model, store, stage="generate").ask(requests)
        store.close()
    return sum(reply.completion_tokens for reply in replies)  # type: ignore[union-attr]  # no failure here


def bare(folder: Path, requests: Sequence[Request], batch_size: int) -> Callable[[], int]:
    """Return the same by hand: processor, generate, decode."""
    processor = load_processor(str(folder))
    model = load_generator(str(folder), precision="fp32", device_map=None).eval()
    tokenizer = processor.tokenizer
    tokenizer.padding_side = "left"

    def run() -> int:
        n_tokens = 0
        for start in range(0, len(requests), batch_size):
            part = requests[start : start + batch_size]
            texts = [
                processor.apply_chat_template(
                    [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": r.prompt}]}],
                    add_generation_prompt=True,
                    tokenize=False,
                )
                for r in part
            ]
            images = [[Image.fromarray(r.pictures[0].pixels)] for r in part]
            inputs = processor(text=texts, images=images, padding=True, return_tensors="pt", add_special_tokens=False)
            with torch.inference_mode(), quiet():
                made = model.generate(**inputs, do_sample=True, top_k=0, max_new_tokens=part[0].sampling.max_new_tokens)
            new = made[:, inputs["input_ids"].shape[1] :]
            tokenizer.batch_decode(new, skip_special_tokens=True)
            n_tokens += int((new != tokenizer.pad_token_id).sum())
        return n_tokens

    return run


def met(is_met: bool) -> str:
    """Say whether a goal is met."""
    return "met" if is_met else "NOT met"


if __name__ == "__main__":
    main()
