"""Of several lesions the one that an edit speaks of is removed: told by the masks' labels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from medprefkit.corrupt.claimed import claimed_masks
from medprefkit.corrupt.noise import Noise
from medprefkit.corrupt.step import CorruptStep
from medprefkit.errors import ImageError
from medprefkit.records import (
    Answer,
    Case,
    Claim,
    Claims,
    CorruptedImage,
    Dropped,
    Edit,
    Edits,
    Example,
    ImageRef,
    MaskRef,
    Source,
    Span,
)

TEXT = "No pleural effusion. No consolidation."


def case(concept: str, *masks: MaskRef, linked: bool = True) -> Case:
    span = Span(start_char=0, end_char=19, text="No pleural effusion")
    claim = Claim(claim_id="c0", concept=concept, kind="finding", span=span, phrase=span, sentence=span)
    edit = Edit(
        phrase_id=1, span=span, claim_span=span, replacement="Pleural effusion", error_type="false_negation",
        claim_ids=("c0",), lesion_linked=linked,
    )  # fmt: skip
    example = Example(
        id="x", group_id="g", task="report", prompt="p", reference="r", images=(ImageRef(path="a.png"),),
        lesion_masks=masks, source=Source(name="s", licence="CC0"),
    )  # fmt: skip
    return Case(
        example,
        Answer(id="x", text=TEXT, model="m"),
        Claims(id="x", answer=(claim,), reference=()),
        edits=Edits(id="x", edits=(edit,), chosen="Pleural effusion. No consolidation."),
    )


EFFUSION = MaskRef(path="effusion.png", label="Pleural Effusion")
GLASS = MaskRef(path="glass.png", label="Ground Glass Opacities")
SOLID = MaskRef(path="solid.png", label="Consolidation")
NAMELESS = MaskRef(path="nameless.png")


@pytest.mark.parametrize(
    ("concept", "kept"),
    [
        ("pleural_effusion", (EFFUSION,)),
        ("ground_glass", (GLASS, SOLID)),  # one reader may call by one what another calls the other
        ("lung_opacity", (GLASS, SOLID)),  # broader than both
        ("pneumonia", (SOLID,)),
    ],
)
def test_masks_go_with_what_the_edit_speaks_of(concept: str, kept: tuple[MaskRef, ...]) -> None:
    assert claimed_masks(case(concept, EFFUSION, GLASS, SOLID, NAMELESS)) == kept


def test_none_is_a_reason_not_another_lesion() -> None:
    for made in (
        case("pneumothorax", EFFUSION, GLASS),
        case("pleural_effusion", NAMELESS),
        case("pleural_effusion", EFFUSION, linked=False),
    ):
        with pytest.raises(ImageError) as error:
            claimed_masks(made)
        assert error.value.reason == "mask_missing"


def test_the_stage_removes_the_claimed_lesion_only(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Pillow.fromarray(rng.integers(90, 160, (80, 100), np.uint8)).save(tmp_path / "a.png")
    for name, (row, column) in {"effusion": (20, 20), "solid": (50, 70)}.items():
        mask = np.zeros((80, 100), np.uint8)
        mask[row : row + 10, column : column + 10] = 255
        Pillow.fromarray(mask).save(tmp_path / f"{name}.png")
    both = case("pleural_effusion", EFFUSION, SOLID)

    def removed(made: Case, lesions: str) -> CorruptedImage | Dropped:
        step = CorruptStep(
            corruption=Noise(), name="noise", data_root=tmp_path, run_dir=tmp_path / "run", run_seed=0,
            lesions=lesions,  # type: ignore[arg-type]
        )  # fmt: skip
        return step([made])[0]

    one, all_of_them = removed(both, "claimed"), removed(both, "all")
    assert isinstance(one, CorruptedImage)
    assert isinstance(all_of_them, CorruptedImage)
    assert one.lesion_share == 100 / 8000
    assert all_of_them.lesion_share == 200 / 8000
    dropped = removed(case("pneumothorax", EFFUSION), "claimed")
    assert isinstance(dropped, Dropped)
    assert dropped.reason == "mask_missing"
