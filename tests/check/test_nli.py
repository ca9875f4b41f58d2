"""The learned checker: what it may load, what it quotes, when it abstains, and how the ensemble weighs it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray

from medprefkit.check.ensemble import EnsembleChecker
from medprefkit.check.label_map import CheckerSettings, label_order, read_settings, write_settings
from medprefkit.check.nli import NliChecker, claim_text
from medprefkit.errors import ModelError
from medprefkit.records import Case, Verdict
from tests.check.test_reference import read
from tests.check.tiny_bert import save_tiny_bert
from tests.test_laws import PROMPTS, TEXTS

NLI = ("contradiction", "neutral", "entailment")


class Opinion:
    """A stand-in for the encoder: says of each (claim, reference) what a function says."""

    def __init__(self, says: Callable[[str, str], Sequence[float]]) -> None:
        self._says = says

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        return np.array([self._says(*pair) for pair in pairs]).reshape(len(pairs), 3)


def always(*probabilities: float) -> Opinion:
    def says(claim: str, reference: str) -> Sequence[float]:
        return probabilities

    return Opinion(says)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_tiny_bert(tmp_path_factory.mktemp("bert"), ["no effusion . the lungs are clear"], labels=NLI)


def nli(folder: str, opinion: Opinion) -> NliChecker:
    checker = NliChecker(model=folder)
    checker._encoder = opinion  # type: ignore[assignment]  # a fake with the one method that is used
    return checker


def ensemble(folder: str, opinion: Opinion, **options: object) -> EnsembleChecker:
    checker = EnsembleChecker(model=folder, **options)  # type: ignore[arg-type]  # of the signature
    checker._model._encoder = opinion  # type: ignore[assignment]  # a fake with the one method that is used
    return checker


def only(checker: Callable[[Sequence[Case]], list[tuple[Verdict, ...]]], answer: str, reference: str) -> Verdict:
    (verdicts,) = checker([read(answer, reference)])
    (verdict,) = verdicts
    return verdict


@pytest.mark.parametrize("name", ["nli", "ensemble"])
def test_any_three_way_model_judges_every_claim_and_quotes_the_reference(folder: str, name: str) -> None:
    checker = NliChecker(model=folder, min_confidence=0.0) if name == "nli" else EnsembleChecker(model=folder)

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(PROMPTS, TEXTS, TEXTS)
    def law(prompt: str, answer: str, reference: str) -> None:
        case = read(answer, reference, prompt=prompt)
        (verdicts,) = checker([case])
        assert case.claims is not None
        assert [v.claim_id for v in verdicts] == [c.claim_id for c in case.claims.answer]
        assert all(v.evidence in reference for v in verdicts)
        for verdict in verdicts:
            if verdict.target is not None:
                assert answer[verdict.target.start_char : verdict.target.end_char] == verdict.target.text
        assert checker([case]) == [verdicts]

    law()


def test_labels_are_found_by_name_whatever_their_order(folder: str) -> None:
    assert label_order(dict(enumerate(NLI)), model="m") == (2, 0, 1)
    assert label_order({0: "ENTAILMENT", 1: "NEUTRAL", 2: "CONTRADICTION"}, model="m") == (0, 2, 1)


@pytest.mark.parametrize(
    "labels", [("LABEL_0", "LABEL_1", "LABEL_2"), ("entailment", "not_entailment"), ("neutral",) * 3]
)
def test_ambiguous_labels_are_refused_in_one_line(tmp_path: Path, labels: tuple[str, ...]) -> None:
    with pytest.raises(ModelError, match="a checker needs entailment, neutral and contradiction") as refused:
        label_order(dict(enumerate(labels)), model="m")
    assert "\n" not in str(refused.value)
    with pytest.raises(ModelError, match="cannot be loaded as a checker"):
        NliChecker(model=str(tmp_path / "nowhere"))


def test_damaged_settings_are_refused(tmp_path: Path) -> None:
    write_settings(tmp_path, CheckerSettings(temperature=1.5, seed=3))
    assert read_settings(str(tmp_path)).temperature == 1.5
    (tmp_path / "checker.json").write_text('{"temperature": -1}')
    with pytest.raises(ModelError, match="is damaged"):
        read_settings(str(tmp_path))


def test_evidence_is_the_sentence_that_decides_alone(folder: str) -> None:
    def says(claim: str, reference: str) -> Sequence[float]:
        return (0.02, 0.9, 0.08) if "no pneumothorax" in reference else (0.1, 0.2, 0.7)

    verdict = only(nli(folder, Opinion(says)), "There is a pneumothorax.", "Heart normal. There is no pneumothorax.")
    assert (verdict.label, verdict.error_type, verdict.score) == ("contradicted", "false_finding", 0.9)
    assert verdict.evidence == "There is no pneumothorax."
    assert verdict.target is not None
    assert (verdict.target.text, verdict.truth) == ("a pneumothorax", "no")


@pytest.mark.parametrize(
    ("answer", "reference", "error_type", "target", "truth"),
    [
        ("There is a left pleural effusion.", "Small right pleural effusion.", "wrong_laterality", "left", "right"),
        ("There is no effusion.", "Small right pleural effusion.", "false_negation", "no effusion", None),
        ("There is consolidation.", "The lungs are clear.", "false_finding", "consolidation", "clear"),
        ("The lungs are clear.", "Right lower lobe pneumonia.", "false_negation", "clear", None),
    ],
)
def test_errors_are_named_by_the_deciding_sentence(
    folder: str, answer: str, reference: str, error_type: str, target: str, truth: str | None
) -> None:
    verdict = only(nli(folder, always(0.01, 0.98, 0.01)), answer, reference)
    assert (verdict.label, verdict.error_type) == ("contradicted", error_type)
    assert verdict.target is not None
    assert verdict.target.text == target
    assert truth is None or verdict.truth == truth


@pytest.mark.parametrize(
    ("opinion", "rule"),
    [
        (always(0.1, 0.7, 0.2), "not_sure_enough"),  # below the threshold of .8
        (always(0.1, 0.1, 0.8), "reference_silent"),
        (always(0.0, 1.0, 0.0), "error_not_named"),  # sure, but the reference's claims do not say what is wrong
    ],
)
def test_it_abstains_rather_than_guess(folder: str, opinion: Opinion, rule: str) -> None:
    verdict = only(nli(folder, opinion), "There is a pneumothorax.", "The spine is degenerated.")
    assert (verdict.label, verdict.rule, verdict.target) == ("unverifiable", rule, None)


def test_an_empty_reference_decides_nothing_and_a_long_claim_is_read(folder: str) -> None:
    sure = nli(folder, always(0.98, 0.01, 0.01))
    assert only(sure, "There is a pneumothorax.", "").rule == "nothing_to_read"
    long = "There is a pneumothorax " + "and so on " * 300
    assert NliChecker(model=folder)([read(long, "No pneumothorax.")])[0]


def test_a_claim_is_read_by_its_words_or_as_a_sentence_of_its_own() -> None:
    case = read("There is no effusion or pneumothorax.", "")
    assert case.claims is not None
    effusion, pneumothorax = case.claims.answer
    both = case.claims.answer
    assert claim_text(pneumothorax, both, form="focus") == "pneumothorax: There is no effusion or pneumothorax."
    assert claim_text(pneumothorax, both, form="sentence") == "There is no pneumothorax."
    assert claim_text(effusion, (effusion,), form="sentence") == "There is no effusion or pneumothorax."


ANSWER, REFERENCE = "There is a pneumothorax.", "There is no pneumothorax."


def test_agreement_stands_and_difference_is_left_alone_with_both_reasons(folder: str) -> None:
    agreed = only(ensemble(folder, always(0.05, 0.9, 0.05)), ANSWER, REFERENCE)
    assert (agreed.label, agreed.rule, agreed.checker) == ("contradicted", "same_concept", "ensemble")
    assert agreed.score == pytest.approx((0.95 + 0.9 / 0.95) / 2)
    differing = only(ensemble(folder, always(0.9, 0.05, 0.05)), ANSWER, REFERENCE)
    assert (differing.label, differing.target) == ("unverifiable", None)
    assert differing.rule == "contradicted_by_same_concept_but_nli_supports"
    assert differing.evidence == REFERENCE


@pytest.mark.parametrize(("cost", "label"), [(1.0, "contradicted"), (2.9, "contradicted"), (3.1, "unverifiable")])
def test_the_cost_of_a_wrong_correction_decides(folder: str, cost: float, label: str) -> None:
    # .6 against .2: three quarters sure that it is wrong rather than right, which bears a cost of up to 3
    checker = ensemble(folder, always(0.2, 0.6, 0.2), false_edit_cost=cost)
    assert only(checker, ANSWER, REFERENCE).label == label


def test_where_rules_are_silent_the_model_speaks_only_if_asked(folder: str) -> None:
    answer, reference = "There is a pneumothorax.", "Gas has collected beside the collapsed lobe."
    sure = always(0.98, 0.01, 0.01)
    silent = only(ensemble(folder, sure), answer, reference)
    assert (silent.label, silent.rule) == ("unverifiable", "reference_silent")
    asked = only(ensemble(folder, sure, where_rules_are_silent="model"), answer, reference)
    assert (asked.label, asked.rule, asked.evidence) == ("supported", "entailed", reference)


def test_what_depends_on_a_finding_that_is_left_alone_is_left_alone_too(folder: str) -> None:
    case = read("There is a mass in the left lung. This mass is large.", "There is no mass in the lungs.")
    assert case.claims is not None

    def says(claim: str, reference: str) -> Sequence[float]:
        return (0.9, 0.05, 0.05) if "There is a mass" in claim else (0.01, 0.98, 0.01)

    (agreed,) = ensemble(folder, always(0.01, 0.98, 0.01))([case])
    (differing,) = ensemble(folder, Opinion(says))([case])
    dependent = [k for k, v in enumerate(agreed) if v.rule == "depends_on_absent_finding"]
    assert dependent
    assert all(differing[k].label == "unverifiable" for k in dependent)
