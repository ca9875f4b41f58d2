"""Where the checker must not speak: each of these once became a wrong correction of a real answer."""

import pytest

from medprefkit import correct

FINDINGS = "What are the findings on this chest X-ray?"


@pytest.mark.parametrize(
    ("prompt", "answer", "reference"),
    [
        ("Is the ET tube properly placed?", "No, the X-ray shows that the ET tube is improperly placed.", "Yes"),
        ("What organ is enlarged?", "The pancreas appears to have normal size and is not enlarged.", "Spleen"),
        ("Describe the image.", "There is a calcified granuloma in the left upper lobe.", "The lungs are clear."),
        ("Describe the image.", "There is a small pleural effusion.", "No large pleural effusion."),
        ("Describe the image.", "The patient may have pneumonia.", "Pneumonia cannot be excluded."),
    ],
)
def test_it_abstains(prompt: str, answer: str, reference: str) -> None:
    assert correct(prompt=prompt, answer=answer, reference=reference).chosen == answer


def test_a_finding_that_a_report_answers_with_is_judged_as_a_statement() -> None:
    fixed = correct(
        prompt=FINDINGS,
        answer="The image shows a 1.9 cm nodule in the right lower lobe.",
        reference="Lungs are clear. There is no consolidation, nodule or mass.",
    )
    assert fixed.chosen == "The image shows no nodule in the right lower lobe."
