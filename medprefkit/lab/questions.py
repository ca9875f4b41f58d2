"""A question about a phantom's film: its short true answer, and what a model says to it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from medprefkit.lab.radiograph import Finding
from medprefkit.lab.sentences import KINDS, NAMES, Dictation, Words, joined, one_of, side_words, wrong_size_cm
from medprefkit.records import ErrorType


def dictate_answer(findings: Sequence[Finding], rng: np.random.Generator) -> Dictation:
    """Return a question about the film, its short true answer, and a model's sentence that is wrong in 3 of 4."""
    wrong = bool(rng.random() < 0.75)
    placed = [finding for finding in findings if finding.side is not None]
    asked = "presence" if not placed or rng.random() < 0.5 else str(rng.choice(["side", "place", "size"]))
    if asked == "presence":
        prompt, reference, words = _asked_presence(findings, wrong, rng)
    else:
        finding = placed[int(rng.integers(len(placed)))]
        if asked == "size" and finding.size_cm:
            prompt, reference, words = _asked_size(finding, wrong, rng)
        elif asked == "place" and finding.lobe:
            prompt, reference, words = _asked_place(finding, wrong, rng)
        else:
            prompt, reference, words = _askedside_words(finding, wrong, rng)
    answer, planted = joined([words])
    return Dictation("vqa", prompt, reference, answer, planted, ())


class _Asked(NamedTuple):
    prompt: str
    reference: str
    answer: list[Words]


def _asked_presence(findings: Sequence[Finding], wrong: bool, rng: np.random.Generator) -> _Asked:
    finding = findings[int(rng.integers(len(findings)))] if findings and rng.random() < 0.6 else None
    absent = [kind for kind in KINDS if kind not in {f.kind for f in findings}]
    kind = finding.kind if finding is not None else one_of(rng, absent)
    name = NAMES[kind]
    article = "" if kind in ("consolidation", "cardiomegaly") else "a "
    prompt = one_of(
        rng,
        (
            f"Is there {article}{name}?",
            f"Is there evidence of {article}{name}?",
            f"Does the image show {article}{name}?",
        ),
    )
    truth = "Yes" if finding is not None else "No"
    true_words, false_words = (
        (f"{article}{name}", f"no {name}") if finding is not None else (f"no {name}", f"{article}{name}")
    )
    if not wrong:
        return _Asked(prompt, truth, [Words(f"{truth}, there is {true_words} on the chest X-ray.")])
    error: ErrorType = "false_negation" if finding is not None else "false_finding"
    opposite = Words("No" if truth == "Yes" else "Yes", error, truth)
    return _Asked(
        prompt,
        truth,
        [opposite, Words(", there is "), Words(false_words, error, true_words), Words(" on the chest X-ray.")],
    )


def _askedside_words(finding: Finding, wrong: bool, rng: np.random.Generator) -> _Asked:
    name = NAMES[finding.kind]
    prompt = one_of(rng, (f"On which side is the {name}?", f"Which side is the {name} on?"))
    side = side_words(finding, "wrong_laterality" if wrong else None)
    return _Asked(prompt, str(finding.side).capitalize(), [Words(f"The {name} is on the "), side, Words(" side.")])


def _asked_place(finding: Finding, wrong: bool, rng: np.random.Generator) -> _Asked:
    name = NAMES[finding.kind]
    prompt = one_of(rng, (f"Where is the {name} located?", f"Where is the {name}?"))
    side, lobe = (
        side_words(finding, "wrong_laterality" if wrong and finding.lobe != "middle" else None),
        Words(str(finding.lobe)),
    )
    if wrong and finding.lobe == "middle":
        lobe = Words("upper", "wrong_location", "middle")
    reference = f"{str(finding.side).capitalize()} {finding.lobe} lobe"
    return _Asked(
        prompt,
        reference,
        [Words(f"The {name} is located in the "), side, Words(" "), lobe, Words(" lobe of the lung.")],
    )


def _asked_size(finding: Finding, wrong: bool, rng: np.random.Generator) -> _Asked:
    size = Words(f"{finding.size_cm:.1f}")
    if wrong:
        size = Words(f"{wrong_size_cm(finding):.1f}", "wrong_measurement", size.text)
    prompt = one_of(rng, (f"How large is the {finding.kind}?", f"What is the size of the {finding.kind}?"))
    return _Asked(
        prompt, f"{finding.size_cm:.1f} cm", [Words(f"The {finding.kind} measures about "), size, Words(" cm.")]
    )
