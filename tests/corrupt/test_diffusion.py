"""The diffusion corruption on a tiny random pipeline, saved and loaded as a real one is."""

import json
from pathlib import Path

import numpy as np
import pytest

from medprefkit.corrupt.diffusion import Diffusion
from medprefkit.errors import RecipeError
from medprefkit.protocols import Image, Mask

pytest.importorskip("torch", reason="the extra `diffusion` brings torch")
pytest.importorskip("diffusers", reason="the extra `diffusion` is not installed")

pytestmark = pytest.mark.slow  # importing diffusers alone takes seconds


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion inpainting pipeline of a few thousand random weights."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionInpaintPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("diffusion")
    letters = [chr(k) for k in range(ord("!"), ord("~") + 1)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: k for k, word in enumerate(words)}), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, sample_size=16, in_channels=9,
        out_channels=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=16, attention_head_dim=4,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=[8, 8], in_channels=3, out_channels=3, norm_num_groups=4, latent_channels=4,
        down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2,
    )  # fmt: skip
    text = CLIPTextConfig(
        hidden_size=16, intermediate_size=16, num_attention_heads=2, num_hidden_layers=1, vocab_size=len(words),
        bos_token_id=len(words) - 2, eos_token_id=len(words) - 1, pad_token_id=len(words) - 1,
    )  # fmt: skip
    StableDiffusionInpaintPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77),
        unet=unet,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder / "model")
    return folder / "model"


def scene(*, grey: bool) -> tuple[Image, Mask]:
    rng = np.random.default_rng(0)
    image = np.broadcast_to(rng.integers(90, 130, (80, 100, 1 if grey else 3)), (80, 100, 3)).astype(np.uint8)
    mask = np.zeros((80, 100), np.bool_)
    mask[30:44, 50:70] = True
    image[mask] = 220
    return image, mask


@pytest.mark.parametrize("grey", [True, False], ids=["grey", "colour"])
def test_a_pipeline_paints_the_lesion_and_nothing_else(pipeline: Path, grey: bool) -> None:
    image, mask = scene(grey=grey)
    corruption = Diffusion(model=str(pipeline), steps=2, side_px=64)
    changed = corruption(image, mask, np.random.default_rng(1))
    region = corruption.region(mask)
    assert np.array_equal(changed[~region], image[~region])
    assert np.abs(changed[mask].astype(int) - image[mask]).mean() > 20
    assert not grey or np.array_equal(changed[..., 0], changed[..., 2])
    assert np.array_equal(changed, corruption(image, mask, np.random.default_rng(1)))
    assert not np.array_equal(changed, corruption(image, mask, np.random.default_rng(2)))


def test_a_folder_without_a_pipeline_is_said_so(tmp_path: Path) -> None:
    image, mask = scene(grey=True)
    with pytest.raises(RecipeError, match="no inpainting pipeline"):
        Diffusion(model=str(tmp_path))(image, mask, np.random.default_rng(0))


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"guidance": -1.0}, {"side_px": 100}])
def test_options_that_no_pipeline_takes_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Diffusion(model="m", **wrong)  # type: ignore[arg-type]  # one option at a time
