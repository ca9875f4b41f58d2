"""Rows become tensors: literal ones first, then every way that rows may differ within a batch."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from medprefkit.errors import TrainError
from medprefkit.train.collate import PreferenceCollator

MakePair = Callable[..., dict[str, Any]]
PAD, BOS, EOS, IMAGE, USER, ASSISTANT = 0, 1, 2, 3, 5, 6


def short(
    make: MakePair, make_span: MakePair, chosen: str, rejected: str, index: int = 0, **changes: Any
) -> dict[str, Any]:
    return make(
        index,
        prompt=[{"role": "user", "content": "X"}],
        chosen=[{"role": "assistant", "content": chosen}],
        rejected=[{"role": "assistant", "content": rejected}],
        chosen_spans=[make_span(chosen, chosen[-1], 1, weight=2.0)],
        rejected_spans=[make_span(rejected, rejected[-1], 1, weight=3.0)],
        **changes,
    )


@pytest.fixture
def letters(processor: Any) -> dict[str, int]:
    return {letter: processor.tokenizer(letter, add_special_tokens=False)["input_ids"][0] for letter in "XYZQ"}


def test_literal_tensors(processor: Any, make_pair: MakePair, make_span: MakePair, letters: dict[str, int]) -> None:
    x, y, z, q = (letters[letter] for letter in "XYZQ")
    rows = [
        short(make_pair, make_span, "Y", "QZ"),
        short(make_pair, make_span, "QY", "Z", 1, corrupted_images=[], weight=0.5),
    ]
    batch = PreferenceCollator(processor)(rows)
    prompt = [BOS, USER, *[IMAGE] * 16, x, EOS, ASSISTANT]  # 21 tokens, 16 of them places of the image
    (group,) = batch["groups"]
    assert group["sequences"].tolist() == [0, 1, 2, 3, 4]
    assert group["inputs"]["input_ids"].tolist() == [
        [*prompt, y, EOS, PAD],  # chosen of row 0, padded on the right
        [*prompt, q, y, EOS],  # chosen of row 1
        [*prompt, q, z, EOS],  # rejected of row 0
        [*prompt, z, EOS, PAD],  # rejected of row 1
        [*prompt, y, EOS, PAD],  # chosen of row 0 on its corrupted image
    ]
    assert group["inputs"]["attention_mask"].sum(-1).tolist() == [23, 24, 24, 23, 23]
    assert batch["labels"].tolist() == [[y, EOS, 0], [q, y, EOS], [q, z, EOS], [z, EOS, 0], [y, EOS, 0]]
    assert batch["label_mask"].sum(-1).tolist() == [2, 3, 3, 2, 2]
    assert batch["starts"].tolist() == [21] * 5
    assert batch["phrase_ids"].tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0]]
    assert batch["phrase_weights"].tolist() == [[2, 0, 0], [0, 2, 0], [0, 3, 0], [3, 0, 0]]
    assert torch.equal(batch["lesion_linked"], batch["phrase_ids"] == 1)
    assert batch["corrupted_rows"].tolist() == [0]
    assert batch["row_weights"].tolist() == [1.0, 0.5]
    pixels = group["inputs"]["pixel_values"]
    assert pixels.shape == (5, 3, 56, 56)
    assert torch.equal(pixels[0], pixels[2])  # chosen and rejected of row 0 look at the same image
    assert not torch.equal(pixels[0], pixels[4])  # and the corrupted sequence at another


def test_text_only_rows_make_a_pass_of_their_own(processor: Any, make_pair: MakePair, make_text_pair: MakePair) -> None:
    batch = PreferenceCollator(processor)([make_text_pair(0), make_pair(1), make_text_pair(2)])
    with_images, without = batch["groups"]
    assert with_images["sequences"].tolist() == [1, 4, 6]  # chosen, rejected, corrupted of row 1
    assert without["sequences"].tolist() == [0, 2, 3, 5]
    assert "pixel_values" not in without["inputs"]
    assert batch["starts"][1] - batch["starts"][0] == 16  # what the image's placeholder became
    assert batch["corrupted_rows"].tolist() == [1]


def test_several_images_a_row(processor: Any, make_pair: MakePair, make_png: MakePair) -> None:
    row = make_pair(0, images=[make_png(1), make_png(2)], corrupted_images=[make_png(3), make_png(2)])
    batch = PreferenceCollator(processor)([row, make_pair(1)])
    (group,) = batch["groups"]
    n_places = (group["inputs"]["input_ids"] == processor.image_token_id).sum(-1).tolist()
    assert n_places == [32, 16, 32, 16, 32, 16]
    assert group["inputs"]["pixel_values"].shape[0] == 9


def test_the_corrupted_images_are_left_out_where_nothing_asks_for_them(processor: Any, make_pair: MakePair) -> None:
    batch = PreferenceCollator(processor, corrupted=False)([make_pair()])
    assert len(batch["labels"]) == 2
    assert batch["corrupted_rows"].shape == (0,)


def test_no_image_place_is_ever_cut(processor: Any, make_pair: MakePair) -> None:
    long = "word " * 3000
    rows = [make_pair(0, prompt=[{"role": "user", "content": long}])]
    (group,) = PreferenceCollator(processor)(rows)["groups"]
    assert (group["inputs"]["input_ids"] == processor.image_token_id).sum(-1).tolist() == [16, 16, 16]


def test_images_may_be_pictures_or_bytes(processor: Any, make_pair: MakePair) -> None:
    import io

    from PIL import Image

    row = make_pair()
    decoded = {
        column: [Image.open(io.BytesIO(image["bytes"])) for image in row[column]]
        for column in ("images", "corrupted_images")
    }
    one, other = (PreferenceCollator(processor)([each])["groups"][0]["inputs"] for each in (row, {**row, **decoded}))
    assert torch.equal(one["pixel_values"], other["pixel_values"])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"images": [{"bytes": b"not a picture", "path": None}]}, "row 'row0': images cannot be read"),
        ({"corrupted_images": []}, None),
        ({"weight": 0.0}, "row 'row0' cannot train: its weight is 0"),
    ],
)
def test_what_cannot_be_collated_says_which_row(
    processor: Any, make_pair: MakePair, changes: dict[str, Any], says: str | None
) -> None:
    collate = PreferenceCollator(processor)
    if says is None:
        assert len(collate([make_pair(**changes)])["labels"]) == 2
    else:
        with pytest.raises(TrainError, match=says):
            collate([make_pair(**changes)])


def test_a_corrupted_image_too_many_is_refused(processor: Any, make_pair: MakePair, make_png: MakePair) -> None:
    with pytest.raises(TrainError, match="row 'row0': 1 images but 2 corrupted ones"):
        PreferenceCollator(processor)([make_pair(corrupted_images=[make_png(1), make_png(2)])])
