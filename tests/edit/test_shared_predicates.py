"""One word for several structures of which one is not normal: the subject is parted, and the others keep the word."""

import pytest

from medprefkit.api import correct

MILD = "mild cardiomegaly ."


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        (
            "heart size and mediastinal contour are within normal limits .",
            MILD,
            "heart size is mildly enlarged and mediastinal contour is within normal limits .",
        ),
        (
            "The heart size and pulmonary vascularity appear within normal limits.",
            MILD,
            "The heart size appears mildly enlarged and the pulmonary vascularity appears within normal limits.",
        ),
        # names that nothing parts, as in tokenized reports; two that stay normal go first
        (
            "heart size mediastinal contour and pulmonary vascularity are within normal limits .",
            MILD,
            "mediastinal contour and pulmonary vascularity are within normal limits, "
            "and heart size is mildly enlarged .",
        ),
        (
            "heart size mediastinal and aortic contours are within normal limits .",
            "tortuous aorta .",
            "heart size and mediastinal contour are within normal limits, and aortic contour is tortuous .",
        ),
        # adjectives that share a noun
        (
            "cardiac and mediastinal contours are unremarkable .",
            MILD,
            "cardiac contour is mildly enlarged and mediastinal contour is unremarkable .",
        ),
        # both wrong, each in its own way
        (
            "the lungs and pleural spaces are clear .",
            "large left pleural effusion . left lower lobe consolidation .",
            "the lungs show left lower lobe consolidation and the pleural spaces show a large left effusion .",
        ),
        # a word before its nouns
        (
            "normal heart size and mediastinal contours .",
            "stable cardiomegaly .",
            "cardiomegaly and normal mediastinal contours .",
        ),
        ("the cardiac silhouette is at the upper limits of normal for size .", "moderate cardiomegaly .",
         "the cardiac silhouette is moderately enlarged ."),
        # a structure whose name was taken out is not told apart
        ("the heart pulmonary xxxx and mediastinum are within normal limits .", "cardiomegaly .",
         "the heart pulmonary xxxx and mediastinum are within normal limits ."),
    ],
)  # fmt: skip
def test_a_shared_predicate_is_parted(answer: str, reference: str, expected: str) -> None:
    assert correct(prompt="Describe the chest X-ray.", answer=answer, reference=reference).chosen == expected
