"""Which findings a labelled lesion mask is the evidence for."""

import pytest

from medprefkit.edit.lesion import is_about_lesion
from medprefkit.records import Claim, MaskRef, Span


def finding(concept: str, *anatomy: str) -> Claim:
    span = Span(start_char=0, end_char=4, text="word")
    return Claim(claim_id="c0", concept=concept, kind="finding", span=span, phrase=span, sentence=span, anatomy=anatomy)


@pytest.mark.parametrize(
    ("label", "concept", "anatomy", "about"),
    [
        ("ground glass", "lung_opacity", (), True),
        ("ground glass", "cardiomegaly", (), False),
        ("Ground_Glass", "rib_fracture", (), False),
        ("pulmonary nodules", "lung_mass", (), True),
        ("lung", "pneumonia", (), True),
        ("lung", "cardiomegaly", (), False),
        ("polyp", "polyp", ("colon",), True),
        ("meningioma", "tumor", ("brain",), True),
        ("pneumothorax", "fracture", ("spine",), False),
        ("", "cardiomegaly", (), True),
        ("class 3", "cardiomegaly", (), True),
        ("ground glass", "something nobody lists", (), True),
    ],
)
def test_a_label_and_a_finding_meet(label: str, concept: str, anatomy: tuple[str, ...], *, about: bool) -> None:
    assert is_about_lesion(finding(concept, *anatomy), (MaskRef(path="m.png", label=label),)) is about


def test_one_of_several_masks_is_enough_and_without_any_there_is_no_lesion() -> None:
    heart = finding("cardiomegaly")
    assert not is_about_lesion(heart, ())
    assert is_about_lesion(heart, (MaskRef(path="a.png", label="lung"), MaskRef(path="b.png", label="heart")))
