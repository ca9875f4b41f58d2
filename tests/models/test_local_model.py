"""A model in this process: a request's reply is its own, whoever is asked beside it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from made_requests import ask, picture

from medprefkit.errors import ModelError
from medprefkit.models.local import LocalModel
from medprefkit.models.requests import Failure, Reply, Request
from medprefkit.models.sampling import RecordSampler, uniforms_of
from medprefkit.records import Sampling


@pytest.fixture
def tiny_folder(model_folders: dict[str, Path]) -> Path:
    return model_folders["tiny"]


PROMPTS = [
    "Is there a pleural effusion?",
    "Where?",
    "What is seen here, and on which side of the chest is it?",
]


def requests(n: int, *, images: bool = True, **sampling: float) -> list[Request]:
    drawn = {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 8, **sampling}
    return [
        Request(
            record_id=f"r{k}",
            prompt=PROMPTS[k % 3],
            pictures=(picture(k, (40 + 9 * k, 80)),) if images and k % 4 != 3 else (),
            sampling=Sampling(seed=1000 + k, **drawn),  # type: ignore[arg-type]  # plain numbers
        )
        for k in range(n)
    ]


@pytest.mark.parametrize("folder", ["tiny", "qwen"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_batch_size_and_order_do_not_change_an_answer(
    folder: str, temperature: float, model_folders: dict[str, Path]
) -> None:
    path = str(model_folders[folder])
    asked = requests(5, temperature=temperature)
    one = ask(LocalModel(path, precision="fp32", batch_size=1), asked)
    four = ask(LocalModel(path, precision="fp32", batch_size=4), asked)
    backwards = ask(LocalModel(path, precision="fp32", batch_size=3), asked[::-1])[::-1]
    assert one == four == backwards
    assert all(isinstance(reply, Reply) and reply.completion_tokens >= 1 for reply in one)
    assert len({reply.text for reply in one if isinstance(reply, Reply)}) > 1


def test_another_seed_is_another_answer_and_greedy_has_none(tiny_folder: Path) -> None:
    model = LocalModel(str(tiny_folder), precision="fp32")
    first, second = requests(1)[0], requests(2)[1]
    again = Request(first.record_id, first.prompt, first.pictures, second.sampling)
    replies = ask(model, [first, again])
    assert replies[0] != replies[1]


def test_draws_follow_the_distribution_of_temperature_and_nucleus() -> None:
    # softmax(log p / 1) = p = .5 .3 .15 .05; top_p .9 keeps the first three (.5 + .3 < .9 <= .95), so .526 .316 .158 0
    logits = torch.log(torch.tensor([[0.15, 0.5, 0.05, 0.3]])).expand(20_000, 4)
    numbers = torch.from_numpy(np.random.default_rng(0).random((20_000, 1)))
    sampler = RecordSampler(numbers, temperature=1.0, top_p=0.9, prompt_length=2)
    drawn = sampler(torch.zeros(20_000, 2, dtype=torch.long), logits).argmax(-1)
    shares = torch.bincount(drawn, minlength=4) / 20_000
    assert torch.allclose(shares, torch.tensor([0.158, 0.526, 0.0, 0.316]), atol=0.012)
    cold = RecordSampler(numbers, temperature=0.01, top_p=1.0, prompt_length=2)
    assert cold(torch.zeros(20_000, 2, dtype=torch.long), logits).argmax(-1).unique().tolist() == [1]


def test_numbers_belong_to_a_seed_and_not_to_a_row() -> None:
    a, b = Sampling(seed=1, max_new_tokens=4), Sampling(seed=2, max_new_tokens=9)
    assert torch.equal(uniforms_of([a, b])[0, :4], uniforms_of([a])[0])


def test_stop_strings_end_an_answer_and_are_no_part_of_it(tiny_folder: Path) -> None:
    model = LocalModel(str(tiny_folder), precision="fp32")
    (whole,) = ask(model, requests(1, max_new_tokens=30))
    assert isinstance(whole, Reply)
    stop = whole.text[4:6]
    first = requests(1, max_new_tokens=30)[0]
    stopping = first.sampling.model_copy(update={"stop": (stop,)})
    (cut,) = ask(model, [Request(first.record_id, first.prompt, first.pictures, stopping)])
    assert isinstance(cut, Reply)
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finish_reason == "stop"
    assert cut.completion_tokens < whole.completion_tokens


def test_an_answer_without_an_end_is_truncated(tiny_folder: Path) -> None:
    (reply,) = ask(LocalModel(str(tiny_folder), precision="fp32"), requests(1, max_new_tokens=2))
    assert isinstance(reply, Reply)
    assert (reply.finish_reason, reply.completion_tokens) == ("length", 2)


@pytest.mark.parametrize("folder", ["tiny", "qwen"])
def test_yes_and_no_have_log_probabilities_that_no_batch_changes(folder: str, model_folders: dict[str, Path]) -> None:
    path = str(model_folders[folder])
    asked = [
        Request(f"r{k}", PROMPTS[k % 3], (picture(k),), Sampling(max_new_tokens=1), wants="yes_no") for k in range(4)
    ]
    together = ask(LocalModel(path, precision="fp32"), asked)
    alone = ask(LocalModel(path, precision="fp32", batch_size=1), asked)
    for one, other in zip(together, alone, strict=True):
        assert isinstance(one, Reply)
        assert isinstance(other, Reply)
        assert one.yes_logp is not None
        assert one.no_logp is not None
        assert (one.yes_logp, one.no_logp) == pytest.approx((other.yes_logp, other.no_logp), abs=1e-5)
        assert np.exp(one.yes_logp) + np.exp(one.no_logp) < 1.0
        assert one.text == ("Yes" if one.yes_logp > one.no_logp else "No")


def test_words_that_the_template_would_obey_are_refused(tiny_folder: Path) -> None:
    model = LocalModel(str(tiny_folder), precision="fp32")
    good = requests(1)[0]
    bad = Request("r", "Look: <image> and </s>", (), good.sampling)
    refused, answered = ask(model, [bad, good])
    assert isinstance(refused, Failure)
    assert refused.reason == "call_refused"
    assert isinstance(answered, Reply)


def test_a_name_shows_no_path_and_a_revision_is_the_files(tiny_folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "tiny"
    shutil.copytree(tiny_folder, copy)
    model, other = LocalModel(str(tiny_folder)), LocalModel(str(copy))
    assert (model.model, model.revision) == (other.model, other.revision) == ("tiny", model.revision)
    (copy / "README.md").write_text("words")
    assert LocalModel(str(copy)).revision == model.revision
    (copy / "generation_config.json").write_text("{}")
    assert LocalModel(str(copy)).revision != model.revision


def test_a_model_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model folder"):
        LocalModel(str(tmp_path / "nothing"))
