"""A tiny SAM built on the spot makes masks of boxes, keeps them, and is asked once."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import SamConfig, SamModel, SamProcessor
from transformers.models.auto.modeling_auto import AutoModelForMaskGeneration
from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

from medprefkit.annotations import Box
from medprefkit.errors import ModelError
from medprefkit.models.loading import quiet
from medprefkit.protocols import Image
from medprefkit.segment import sam
from medprefkit.segment.sam import FOLDER, SamRegions

BOXES: list[list[Box]] = [[(10, 20, 30, 30), (50, 50, 20, 10)], [(5, 5, 20, 20)], [(0, 0, 40, 30)]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sam")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "image_size": 64, "patch_size": 8}
    config = SamConfig(
        vision_config={
            **sizes, "num_hidden_layers": 2, "num_attention_heads": 2, "output_channels": 16, "window_size": 4,
            "global_attn_indexes": [1], "mlp_dim": 32, "num_pos_feats": 8,
        },
        prompt_encoder_config={**sizes, "mask_input_channels": 4},
        mask_decoder_config={
            "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 32,
            "iou_head_hidden_dim": 16, "iou_head_depth": 2,
        },
    )  # fmt: skip
    with quiet():
        SamModel(config).save_pretrained(folder)
        pictures = SamImageProcessorPil(
            size={"longest_edge": 64}, pad_size={"height": 64, "width": 64}, mask_size={"longest_edge": 16},
            mask_pad_size={"height": 16, "width": 16},
        )  # fmt: skip
        SamProcessor(pictures).save_pretrained(folder)
    return folder


def pictures() -> list[tuple[Image, list[Box]]]:
    rng = np.random.default_rng(0)
    shapes = [(90, 120), (50, 40), (90, 120)]
    return [(rng.integers(0, 255, (*s, 3), np.uint8), boxes) for s, boxes in zip(shapes, BOXES, strict=True)]


def test_masks_are_cut_at_their_boxes_and_alike_alone_and_in_batches(model: Path, tmp_path: Path) -> None:
    together = SamRegions(model=str(model), run_dir=tmp_path / "a", device="cpu", batch_size=2)
    together.prepare(iter(pictures()))
    alone = SamRegions(model=str(model), run_dir=tmp_path / "b", device="cpu")
    for image, boxes in pictures():
        shape = (image.shape[0], image.shape[1])
        for box in boxes:
            found = together.fill_for(image)(box, shape)
            left, top, width, height = (int(side) for side in box)
            outside = found.copy()
            outside[top : top + height, left : left + width] = False
            assert (found.shape, found.dtype) == (shape, np.bool_)
            assert not outside.any()
            assert found.sum() >= 0.05 * width * height
            differs = np.count_nonzero(found ^ alone.fill_for(image)(box, shape))
            assert differs <= 0.02 * width * height  # sums in another order may tip a pixel


def test_what_is_kept_is_not_paid_for_twice(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = SamRegions(model=str(model), run_dir=tmp_path, device="cpu")
    first.prepare(pictures())
    kept = sorted((tmp_path / FOLDER).iterdir())
    assert len(kept) == sum(len(boxes) for boxes in BOXES)
    assert {path.suffix for path in kept} == {".png"}

    def unwanted(*_: object, **__: object) -> None:
        raise AssertionError("the model was loaded again")

    monkeypatch.setattr(AutoModelForMaskGeneration, "from_pretrained", unwanted)
    again = SamRegions(model=str(model), run_dir=tmp_path, device="cpu")
    again.prepare(pictures())
    for image, boxes in pictures():
        assert all(again.fill_for(image)(box, (image.shape[0], image.shape[1])).any() for box in boxes)


def test_a_box_in_which_it_sees_nothing_is_an_ellipse(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sam, "_LEAST_SHARE", 2.0)  # no mask can be that large
    image, _ = pictures()[0]
    regions = SamRegions(model=str(model), run_dir=tmp_path, device="cpu")
    found = regions.fill_for(image)((10.0, 20.0, 30.0, 30.0), (90, 120))
    assert found.sum() == pytest.approx(np.pi * 15 * 15, rel=0.03)


def test_what_is_no_such_model_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}', "utf-8")
    with pytest.raises(ModelError) as error:
        SamRegions(model=str(tmp_path), run_dir=tmp_path, device="cpu").prepare(pictures())
    assert "\n" not in str(error.value)
