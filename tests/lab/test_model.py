"""The tiny LLaVA: the same arguments give the same files, and the Auto classes load, train and generate with it."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from medprefkit.lab.model import build_tiny_llava

TEXTS = ["There is a small left pleural effusion.", "No pneumothorax is seen on the right."]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_llava(tmp_path_factory.mktemp("tiny"), TEXTS)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_weights(tiny: Path, tmp_path: Path) -> None:
    again = build_tiny_llava(tmp_path / "again", TEXTS)
    other = build_tiny_llava(tmp_path / "other", TEXTS, seed=1)
    names = sorted(path.name for path in tiny.iterdir())
    assert names == sorted(path.name for path in again.iterdir())
    assert all((tiny / name).read_bytes() == (again / name).read_bytes() for name in names)
    weights = "model.safetensors"
    assert (tiny / weights).read_bytes() != (other / weights).read_bytes()


def test_building_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    build_tiny_llava(tmp_path, TEXTS)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_loads_through_the_auto_classes_and_generates(tiny: Path) -> None:
    model = AutoModelForImageTextToText.from_pretrained(tiny)
    processor = AutoProcessor.from_pretrained(tiny)
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    assert 160_000 < n_parameters < 1_000_000
    message = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is seen?"}]}
    text = processor.apply_chat_template([message], add_generation_prompt=True, tokenize=False)
    inputs = processor(text=[text], images=[Image.new("RGB", (80, 96))], return_tensors="pt", add_special_tokens=False)
    # 56 px in patches of 14 px: 16 places for the image
    assert int((inputs["input_ids"] == processor.image_token_id).sum()) == 16
    generated = model.generate(**inputs, max_new_tokens=3, do_sample=False)
    assert generated.shape[1] == inputs["input_ids"].shape[1] + 3


@pytest.mark.parametrize("text", ["small left effusion", "İstanbul, naïve – 3.5 × 2 cm", "a👩‍⚕️b", "  two  spaces\n"])
def test_any_text_survives_the_tokenizer(tiny: Path, text: str) -> None:
    tokenizer = AutoProcessor.from_pretrained(tiny).tokenizer
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_an_image_must_be_whole_patches(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="60 is not a multiple of patch_size_px 14"):
        build_tiny_llava(tmp_path, TEXTS, image_size_px=60)


def test_the_head_may_be_larger_than_the_tokenizer(tmp_path: Path) -> None:
    model = AutoModelForImageTextToText.from_pretrained(build_tiny_llava(tmp_path, TEXTS, n_logits=2000))
    assert model.get_output_embeddings().weight.shape[0] == 2000
    with pytest.raises(ValueError, match="n_logits 5 is below"):
        build_tiny_llava(tmp_path, TEXTS, n_logits=5)
