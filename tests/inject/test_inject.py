"""The injector: exact spans, a way back byte for byte, the same seed the same errors, and English."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medprefkit.inject.inject import INJECTABLE, find_candidates, inject_errors, inject_one
from medprefkit.offsets import apply_edits
from medprefkit.seeds import rng_for

SENTENCES = [
    "The lungs are clear.",
    "There is no pleural effusion or pneumothorax.",
    "No acute bony abnormality.",
    "The heart is normal in size.",
    "There is a small calcified granuloma in the left upper lobe.",
    "Mild cardiomegaly.",
    "A 5 mm nodule is noted at the right base.",
    "Possible right lower lobe pneumonia.",
    "Stable scoliosis of the spine.",
    "Left-sided central line with tip in the SVC.",
    "Chest radiograph, two views.",
    "PA and lateral views of the chest.",
    "Multiple calcified granulomas are noted; İ é e\u0301.",
    "there are no effusions .",
    "XXXX opacity",
    "1. Emphysema.",
]
TEXTS = st.lists(st.one_of(st.sampled_from(SENTENCES), st.text(max_size=12)), max_size=6).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_every_error_is_undone_byte_for_byte(text: str, seed: int, n_errors: int) -> None:
    made = inject_errors(text, rng=np.random.default_rng(seed), n_errors=n_errors)
    assert made == inject_errors(text, rng=np.random.default_rng(seed), n_errors=n_errors)
    if made is None:
        return
    assert 1 <= len(made.errors) <= n_errors
    assert len({e.error_type for e in made.errors}) == len(made.errors)
    for error, (start, end) in zip(made.errors, made.made_at, strict=True):
        assert made.text[error.span.start_char : error.span.end_char] == error.span.text != error.replacement
        assert text[start:end] == error.replacement
    assert apply_edits(made.text, made.errors).text.encode() == text.encode()
    assert made.text != text


def test_a_report_gives_a_place_for_every_type() -> None:
    text = " ".join(s for s in SENTENCES if s.endswith(".") and " ." not in s)
    found = set(find_candidates(text, np.random.default_rng(0)))
    assert set(INJECTABLE) <= found | {"wrong_quantity"}
    counted = find_candidates("Three noncalcified lung nodules in the left lung.", np.random.default_rng(0))
    assert "wrong_quantity" in counted


@pytest.mark.parametrize(
    ("text", "error_type", "wrong"),
    [
        ("There is a left effusion.", "wrong_laterality", "There is a right effusion."),
        ("Right upper lobe opacity.", "wrong_location", "Right lower lobe opacity."),
        ("Moderate cardiomegaly.", "wrong_severity", "Minimal cardiomegaly."),
        ("There is mild emphysema.", "false_negation", "There is no emphysema."),
        ("Calcified granuloma is noted.", "false_negation", "No calcified granuloma is noted."),
        ("Three noncalcified nodules are seen.", "wrong_quantity", "Six noncalcified nodules are seen."),
        ("There is a pneumonia.", "wrong_certainty", "There may be a pneumonia."),
        ("Possible pneumonia.", "wrong_certainty", "Definite pneumonia."),
        ("Cardiomegaly is unchanged.", "wrong_temporal", None),
        ("the trachea is midline .", "false_finding", None),
    ],
)  # fmt: skip
def test_worked_errors(text: str, error_type: str, wrong: str | None) -> None:
    candidates = [
        c
        for kind, found in find_candidates(text, rng_for(0, "inject", "a")).items()
        if kind == error_type
        for c in found
    ]
    assert candidates
    if wrong is not None:
        assert wrong in {inject_one(text, c).text for c in candidates}


@pytest.mark.parametrize(
    ("text", "error_type"),
    [
        ("No acute bony abnormality.", "false_finding"),  # an old one may be there
        ("Possible left effusion or right pneumonia.", "wrong_laterality"),  # of which of the two?
        ("Right middle lobe scarring.", "wrong_laterality"),  # there is no left middle lobe
        ("The left lung is clear.", "wrong_laterality"),  # the right one may be clear too
        ("Emphysema. Lungs show emphysema and scarring.", "false_negation"),  # said twice: it would contradict itself
        ("Scattered bilateral granulomas are noted.", "wrong_quantity"),
        ("XXXX effusion.", "false_negation"),
    ],
)
def test_what_may_stay_true_is_left_alone(text: str, error_type: str) -> None:
    assert error_type not in find_candidates(text, rng_for(0, "inject", "a"))


def test_a_list_keeps_its_other_denials() -> None:
    text = "There is no pleural effusion or pneumothorax."
    flipped = {inject_one(text, c).text for c in find_candidates(text, rng_for(3, "inject", "a"))["false_finding"]}
    assert len(flipped) == 1
    (made,) = flipped
    assert made.startswith("There is a ")
    assert made.endswith("effusion but no pneumothorax.")


def test_a_tokenized_text_stays_tokenized() -> None:
    text = "the lungs are clear . no effusion ."
    for candidates in find_candidates(text, rng_for(0, "inject", "a")).values():
        for candidate in candidates:
            made = inject_one(text, candidate).text
            assert made == made.lower()
            assert " ." in made
            assert ".." not in made


def test_a_text_without_a_place_gives_nothing() -> None:
    assert inject_errors("", rng=np.random.default_rng(0)) is None
    assert inject_errors("XXXX", rng=np.random.default_rng(0)) is None


def test_what_a_text_does_not_exclude_is_no_error() -> None:
    text = "Degenerative changes of the spine. Surgical clips are present in the abdomen."
    found = find_candidates(text, np.random.default_rng(0))
    assert not {"wrong_organ", "wrong_device"} & set(found)
    moved = find_candidates("Central line with tip in the SVC.", np.random.default_rng(0))["wrong_device"]
    assert [(c.start, c.end) for c in moved] == [(29, 32)]
