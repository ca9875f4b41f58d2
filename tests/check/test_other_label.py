"""A modality or plane beside another one that the reference gives the image; other studies decide nothing."""

import pytest

from medprefkit.api import correct


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("AP and lateral views of the chest were obtained.", "PA and lateral views of the chest were obtained.",
         "PA and lateral views of the chest were obtained."),
        ("This axial CT shows a mass.", "Coronal CT image of a mass.", "This coronal CT shows a mass."),
        ("The image is an MRI of the brain showing a mass.", "CT of the head shows a mass.",
         "The image is a CT of the brain showing a mass."),
        ("Normal chest MRI. Lungs are clear.", "Normal chest radiograph. Lungs are clear.",
         "Normal chest radiograph. Lungs are clear."),
    ],
)  # fmt: skip
def test_corrected(answer: str, reference: str, expected: str) -> None:
    assert correct(prompt="Describe the image.", answer=answer, reference=reference).chosen == expected


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("Normal chest CT. No effusion.", "The lungs are clear. CT may be helpful. Compared to the prior MRI."),
        ("MRI of the brain shows a mass.", "A mass. Recommend CT for further evaluation."),
        ("MRI of the brain shows a mass.", "CT and PET images of a mass."),
        ("Supine AP views of the chest were obtained.", "PA and lateral views of the chest were obtained."),
        ("A nodule, better seen on the previous CT.", "A nodule on this radiograph."),
    ],
)  # fmt: skip
def test_left_alone(answer: str, reference: str) -> None:
    assert correct(prompt="Describe the image.", answer=answer, reference=reference).chosen == answer


def test_what_the_prompt_tells_of_the_patient_may_be_said_again() -> None:
    answer = "The patient presented with fever and cough. The lungs are clear."
    told = "A patient with fever. Describe the image."
    assert correct(prompt=told, answer=answer, reference="Clear lungs.").chosen == answer
    assert correct(prompt="Describe it.", answer=answer, reference="Clear lungs.").chosen == "The lungs are clear."
