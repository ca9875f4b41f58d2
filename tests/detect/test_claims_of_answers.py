"""Answers to questions: the yes or no, the body that follows it, and the words that fill a slot."""

import pytest

from medprefkit.detect.lexicon import LexiconDetector
from medprefkit.records import Claim, Passage

DETECTOR = LexiconDetector()


def read(prompt: str, text: str) -> tuple[Claim, ...]:
    return DETECTOR([Passage(id="p", prompt=prompt, text=text)])[0]


@pytest.mark.parametrize(
    ("prompt", "text", "concept", "polarity"),
    [
        ("Is there a pneumothorax?", "No", "pneumothorax", "denied"),
        ("Is there a pneumothorax?", "yes", "pneumothorax", "affirmed"),
        ("Is there evidence of a pneumothorax?", "No, there is no pneumothorax.", "pneumothorax", "denied"),
        ("Are the lungs normal appearing?", "No", "normal_lung", "denied"),
        ("Is the heart enlarged?", "Yes.", "cardiomegaly", "affirmed"),
        ("Is this a CT?", "No, this is an MRI.", "ct", "denied"),
        ("Does the patient have cardiomegaly?", "Yes", "cardiomegaly", "affirmed"),
        ("Does the picture contain kidney?", "No", "kidney", "denied"),
        ("Is this image normal?", "No", "normal_study", "denied"),
        ("Is the lung healthy?", "Yes", "normal_lung", "affirmed"),
        ("<image>\nIs the liver abnormal?", "Yes, the liver appears normal.", "normal_liver", "denied"),
        ("Is the mass calcified?", "No", "calcified", "denied"),
        ("Is this a solitary nodule?", "No, there are several.", "single", "denied"),
        ("Is the aorta encompassed by the mass?", "Yes", "aorta encompassed by mass", "affirmed"),
        ("Is the cerebellum in view?", "No", "cerebellum", "denied"),
        ("Is the spleen normal size?", "Yes", "normal_spleen_size", "affirmed"),
        ("A report.\nQuestion: Is there free air?\n<image>", "No", "pneumoperitoneum", "denied"),
    ],
)
def test_the_first_word_claims_what_the_question_asks(prompt: str, text: str, concept: str, polarity: str) -> None:
    first = read(prompt, text)[0]
    assert (first.role, first.concept, first.polarity) == ("yes_no", concept, polarity)
    assert first.span.text == first.phrase.text == text.split(",")[0].rstrip(".")


def test_the_questions_place_goes_with_the_word() -> None:
    claim = read("Is there a nodule in the right upper lobe?", "Yes")[0]
    assert {(a.kind, a.value) for a in claim.attributes} == {("laterality", "right"), ("location", "upper")}
    assert all(a.span == claim.span for a in claim.attributes)


def test_the_body_follows_as_statements_and_no_is_not_their_cue() -> None:
    claims = read("Is the heart normal?", "No, the heart is enlarged.")
    assert [(c.role, c.concept, c.polarity) for c in claims] == [
        ("yes_no", "normal_heart", "denied"),
        ("statement", "cardiomegaly", "affirmed"),
    ]


def test_no_before_a_noun_is_a_statement() -> None:
    claims = read("Is there a pneumothorax?", "No pneumothorax is seen.")
    assert [(c.role, c.polarity) for c in claims] == [("statement", "denied")]


def test_a_body_without_yes_or_no_states() -> None:
    claims = read("Is there a pneumothorax?", "There is a pneumothorax.")
    assert [(c.role, c.concept, c.polarity) for c in claims] == [("statement", "pneumothorax", "affirmed")]


def test_no_denies_each_of_several() -> None:
    claims = read("Is a pneumonia or pleural effusion seen?", "No")
    assert {(c.concept, c.polarity, c.role) for c in claims} == {
        ("pneumonia", "denied", "yes_no"),
        ("pleural_effusion", "denied", "yes_no"),
    }


def test_a_negative_question_is_a_slot() -> None:
    assert read("Is there no pneumothorax?", "Yes")[0].role == "slot_answer"


@pytest.mark.parametrize(
    ("prompt", "text", "kind", "concept", "span"),
    [
        ("What modality is used to take this image?", "MRI", "modality", "mri", "MRI"),
        ("What is the imaging modality?", "The image is taken using magnetic resonance imaging (MRI).", "modality",
         "mri", "magnetic resonance imaging"),
        ("What is the scanning plane of this image?", "Transverse Plane", "view_plane", "axial", "Transverse Plane"),
        ("What is the scanning plane of this image?", "The scanning plane of this image is the coronal plane.",
         "view_plane", "coronal", "coronal plane"),
        ("How is the image oriented?", "PA", "view_plane", "pa_view", "PA"),
        ("What is the largest organ in the picture?", "The largest organ in the picture is the spleen.", "organ",
         "spleen", "spleen"),
        ("What is the weighting of this MRI?", "T2", "view_plane", "t2", "T2"),
        ("How many lesions are there?", "2", "quantity", "2", "2"),
        ("Where is the lesion?", "Right upper lobe", "location", "lung_upper_lobe", "Right upper lobe"),
        ("Where is the lesion?", "The lesion is located in the left lower lobe.", "location", "lung_lower_lobe",
         "left lower lobe"),
        ("Which side is affected?", "The left side is affected.", "location", "left", "left side"),
        ("Which lobe is abnormal?", "Right", "location", "right", "Right"),
        ("What abnormality is seen?", "bilateral pleural effusion", "finding", "pleural_effusion", "pleural effusion"),
        ("What is the diagnosis?", "The most probable diagnosis would be a brain abscess.", "finding", "brain_abscess",
         "brain abscess"),
        ("Is this a CT or an MRI?", "This is an MRI.", "modality", "mri", "MRI"),
        ("Which organ is abnormal, heart or lung?", "Lung", "organ", "lung", "Lung"),
        ("Is the lesion on the left or the right?", "It is on the right side.", "location", "right", "right side"),
        ("Which is bigger, lung or liver?", "The lung is larger than the liver.", "organ", "lung", "lung"),
        ("Which organs are part of the circulatory system?", "The heart is part of it.", "organ", "heart", "heart"),
        ("Which part of the body is this?", "This does not belong to the abdomen; it is an image of the head.", "organ",
         "head", "head"),
        ("Is the lesion solid or cystic?", "The lesion is solid.", "descriptor", "solid", "solid"),
        ("What type of MRI is this?", "The image is a T1-weighted MRI.", "view_plane", "t1", "T1-weighted MRI"),
        ("Location of the infarct?", "The infarct is in the spleen.", "location", "spleen", "spleen"),
        ("What color is the lesion?", "The lesion is white.", "descriptor", "white", "white"),
        ("What is the size of the mass?", "The mass is approximately 5 cm.", "measurement", "50", "5 cm"),
    ],
)  # fmt: skip
def test_the_words_that_fill_a_slot(prompt: str, text: str, kind: str, concept: str, span: str) -> None:
    filled = [c for c in read(prompt, text) if c.role == "slot_answer"]
    assert [(c.kind, c.concept, c.span.text) for c in filled] == [(kind, concept, span)]


def test_a_short_list_fills_the_slot_with_each_member() -> None:
    filled = read("Which organs are in this image?", "Liver, Heart, Spleen")
    assert [c.concept for c in filled] == ["liver", "heart", "spleen"]
    assert len({c.list_id for c in filled}) == 1


def test_a_short_list_of_findings_keeps_what_is_said_of_each() -> None:
    filled = read("What is abnormal in this image?", "mild cardiomegaly with bilateral pleural effusions")
    assert [(c.concept, c.role) for c in filled] == [
        ("cardiomegaly", "slot_answer"),
        ("pleural_effusion", "slot_answer"),
    ]
    assert [[a.value for a in c.attributes] for c in filled] == [["mild"], ["bilateral"]]


def test_a_slot_that_nothing_fills_has_no_claim() -> None:
    claims = read("Where is the lesion?", "The lesion is easy to see.")
    assert all(c.role != "slot_answer" for c in claims)


def test_advice_that_was_asked_for_is_no_aside() -> None:
    text = "Further imaging is recommended."
    assert [c.kind for c in read("What is in the image?", text)] == ["recommendation"]
    assert read("How to treat the disease in this image?", text) == ()
