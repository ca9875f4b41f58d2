"""Reports in other words: the same for the same seed, no statement lost, and nothing of it called wrong."""

import numpy as np
import pytest

from medprefkit.api import correct
from medprefkit.evaluate.rewording import reword

REPORTS = (
    "The heart is normal in size. The lungs are clear. No pleural effusion or pneumothorax.",
    "There is a calcified granuloma in the left upper lobe. No focal consolidation, effusion, or pneumothorax is seen.",
    "Mild cardiomegaly. There are small bilateral pleural effusions. No acute osseous abnormality.",
    "There is no evidence of pneumonia. Degenerative changes of the thoracic spine.",
    "No change in the right chest tube. Cardiomediastinal silhouette stable and within normal limits for size with "
    "tortuous aorta. No acute bony or soft tissue abnormality.",
)


def test_a_seed_decides_every_word() -> None:
    first, again = (reword(REPORTS[0], np.random.default_rng(3)) for _ in range(2))
    assert first == again
    assert len({reword(REPORTS[0], np.random.default_rng(seed)) for seed in range(12)}) > 6


def test_what_has_no_other_words_stays() -> None:
    assert reword("Heterogeneous.", np.random.default_rng(0)) == "Heterogeneous."
    assert reword("", np.random.default_rng(0)) == ""


@pytest.mark.parametrize("report", REPORTS)
def test_nothing_is_edited_in_other_words(report: str) -> None:
    for seed in range(8):
        said = reword(report, np.random.default_rng(seed))
        assert correct(prompt="Describe the chest X-ray.", answer=said, reference=report).chosen == said


def test_a_sentence_that_leans_back_keeps_its_place() -> None:
    report = "There is a mass in the right upper lobe. This may be a scar. No effusion."
    for seed in range(8):
        said = reword(report, np.random.default_rng(seed)).lower()
        assert said.index("mass") < said.index("this may be") < said.index("effusion")
