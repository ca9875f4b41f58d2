"""Places keep the form of the word that they replace, a wrong size is its number alone, what is shared stays."""

import pytest

from medprefkit.api import correct


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("Right apical scarring.", "Right basilar scarring.", "Right basilar scarring."),
        ("There is scarring in the lung bases.", "There is scarring in the lung apices.",
         "There is scarring in the lung apices."),
        ("There is biapical atelectasis.", "There is atelectasis in both bases.", "There is bibasilar atelectasis."),
        ("There is bibasilar atelectasis.", "There is left basilar atelectasis.", "There is left basilar atelectasis."),
        ("There is a perihilar opacity.", "There is a peripheral opacity.", "There is a peripheral opacity."),
        ("There is a 2 mm nodule in the left lung.", "There is a 5 mm nodule in the left lung.",
         "There is a 5 mm nodule in the left lung."),
        ("There is a 2 cm nodule.", "There is a 6 mm nodule.", "There is a 6 mm nodule."),
        ("There is a noncalcified granuloma.", "There is a calcified granuloma.", "There is a calcified granuloma."),
        ("Acute mild degenerative changes.", "Chronic mild degenerative changes.",
         "Chronic mild degenerative changes."),
    ],
)  # fmt: skip
def test_corrected(answer: str, reference: str, expected: str) -> None:
    assert correct(prompt="Describe the image.", answer=answer, reference=reference).chosen == expected


def test_a_wrong_size_is_its_number() -> None:
    edits = correct(prompt="", answer="A 22 x 35 mm mass is seen.", reference="A 22 x 14 mm mass is seen.").edits
    assert [(e.span.text, e.replacement) for e in edits] == [("35", "14")]


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("There is an opacity in the upper part of the left lower lobe.", "There is a left lower lobe opacity."),
        ("There is an opacity in the right apex.", "There is a right retrocardiac opacity."),
        ("A 2.0 cm nodule is seen.", "A 21 mm nodule is seen."),
    ],
)  # fmt: skip
def test_left_alone(answer: str, reference: str) -> None:
    assert correct(prompt="Describe the image.", answer=answer, reference=reference).chosen == answer
