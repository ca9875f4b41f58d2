"""What is said of a phantom: a reference report that is true, and a model's answer that errs as models do.

Both are assembled from sentences, so that every wrong word of an answer is known with its place, its type and what
should stand there. Reference and answer use different wordings: agreeing with one is no matter of equal strings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar, get_args

import numpy as np

from medprefkit.lab.anatomy import SIDES
from medprefkit.lab.radiograph import Finding, Kind, Lobe, Severity
from medprefkit.records import ErrorType, Task

T = TypeVar("T")

KINDS: tuple[Kind, ...] = get_args(Kind)
_SEVERITIES: tuple[Severity, ...] = get_args(Severity)

_NAMES: dict[Kind, str] = {
    "nodule": "nodule",
    "mass": "mass",
    "consolidation": "consolidation",
    "pleural_effusion": "pleural effusion",
    "pneumothorax": "pneumothorax",
    "cardiomegaly": "cardiomegaly",
}
_MILD: dict[Severity, str] = {"small": "mild", "moderate": "moderate", "large": "severe"}
_DENSE: dict[Severity, str] = {"small": "mild", "moderate": "moderate", "large": "extensive"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """An error in an answer: `answer[start_char:end_char]` is wrong, `truth` should stand there, empty to delete."""

    error_type: ErrorType
    start_char: int
    end_char: int
    truth: str


class Dictation(NamedTuple):
    """A prompt, what is true, and what a model said.

    Attributes:
        planted: The answer's errors by position; empty where the answer is right.
        omitted: Findings that the answer does not mention.
    """

    task: Task
    prompt: str
    reference: str
    answer: str
    planted: tuple[Planted, ...]
    omitted: tuple[Kind, ...]


class _Words(NamedTuple):
    """A piece of an answer: its text, and for a wrong piece the error's type and the true words."""

    text: str
    error_type: ErrorType | None = None
    truth: str = ""


def dictate_report(findings: Sequence[Finding], rng: np.random.Generator) -> Dictation:
    """Return a report of these findings and a model's flawed one: about one in six has no error."""
    reference = _reference_report(findings, rng)
    n_errors = int(rng.choice([0, 1, 2, 3], p=[0.17, 0.48, 0.25, 0.10]))
    plan = _plan(findings, n_errors, rng)
    sentences: list[list[_Words]] = [[_Words(_one_of(rng, _OPENINGS))]] if rng.random() < 0.5 else []
    for finding in findings:
        error = plan.get(finding.kind)
        if error == "false_negation":
            sentences.append(_denied_wrongly(finding, rng))
        elif error != "missing_finding":
            sentences.append(_affirmed(finding, error, rng))
    true_kinds = {finding.kind for finding in findings}
    sentences += [_invented(kind, rng) for kind in KINDS if plan.get(kind) == "false_finding"]
    sentences += _denials([kind for kind in KINDS if kind not in true_kinds | plan.keys()], rng)
    if rng.random() < 0.35:
        sentences.append([_Words(_one_of(rng, _UNVERIFIABLE))])
    if n_errors and rng.random() < 0.12:
        sentences.append(_one_of(rng, _MACHINE_TALK))
    answer, planted = _joined(sentences)
    omitted = tuple(kind for kind, error in plan.items() if error == "missing_finding")
    return Dictation("report", _one_of(rng, _REPORT_PROMPTS), reference, answer, planted, omitted)


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
            prompt, reference, words = _asked_side(finding, wrong, rng)
    answer, planted = _joined([words])
    return Dictation("vqa", prompt, reference, answer, planted, ())


_REPORT_PROMPTS = (
    "Describe the chest X-ray.",
    "Write a report of this chest radiograph.",
    "What are the findings on this chest X-ray?",
    "Provide the findings of this frontal chest radiograph.",
)
_OPENINGS = (
    "This is a frontal chest X-ray.",
    "The image is a PA chest radiograph.",
    "The chest X-ray was reviewed.",
)
_UNVERIFIABLE = (
    "There are mild degenerative changes of the thoracic spine.",
    "The trachea is midline.",
    "The visualized upper abdomen is unremarkable.",
    "The soft tissues are unremarkable.",
)
_MACHINE_TALK: tuple[list[_Words], ...] = (
    [_Words("Further evaluation with chest CT is recommended.", "recommendation")],
    [_Words("These findings have worsened since the prior study.", "wrong_temporal")],
)


def _reference_report(findings: Sequence[Finding], rng: np.random.Generator) -> str:
    of = {finding.kind: finding for finding in findings}
    heart = "cardiomegaly" in of
    sentences = [_heart_truth(of["cardiomegaly"], rng) if heart else _one_of(rng, _NORMAL_HEART)]
    if rng.random() < 0.6:
        sentences.append(
            _one_of(rng, ("The mediastinal contours are normal.", "Mediastinal contours are unremarkable."))
        )
    lung = [kind for kind in ("consolidation", "nodule", "mass") if kind in of]
    if lung:
        sentences += [_lung_truth(of[kind], rng) for kind in lung]
        absent = [_NAMES[kind] for kind in ("consolidation", "nodule", "mass") if kind not in of]
        sentences.append(f"No {_listed(absent, 'or')}.")
    else:
        sentences.append(
            _one_of(rng, ("The lungs are clear.", "Both lungs are clear.", "Lungs are clear bilaterally."))
        )
        sentences.append(
            _one_of(rng, ("No focal consolidation, nodule or mass.", "There is no consolidation, nodule or mass."))
        )
    pleura: list[Kind] = ["pleural_effusion", "pneumothorax"]
    sentences += [_pleura_truth(of[kind], rng) for kind in pleura if kind in of]
    if absent := [_NAMES[kind] for kind in pleura if kind not in of]:
        sentences.append(f"{_one_of(rng, ('No', 'There is no'))} {_listed(absent, 'or')}.")
    if rng.random() < 0.4:
        sentences.append(_one_of(rng, ("No acute bony abnormality.", "The osseous structures are intact.")))
    return " ".join(sentences)


_NORMAL_HEART = (
    "The heart size is normal.",
    "Heart size is within normal limits.",
    "The cardiac silhouette is normal in size.",
)


def _heart_truth(finding: Finding, rng: np.random.Generator) -> str:
    mild = _MILD[finding.severity]
    return _one_of(rng, (f"The heart is {mild}ly enlarged.", f"There is {mild} cardiomegaly."))


def _lung_truth(finding: Finding, rng: np.random.Generator) -> str:
    place = f"{finding.side} {finding.lobe} lobe"
    if finding.kind == "consolidation":
        dense = _DENSE[finding.severity]
        return _one_of(
            rng, (f"{dense.capitalize()} consolidation in the {place}.", f"There is {dense} {place} consolidation.")
        )
    size = f"{finding.size_cm:.1f} cm"
    return _one_of(
        rng,
        (f"There is a {size} {finding.kind} in the {place}.", f"A {size} {place} {finding.kind} is present."),
    )


def _pleura_truth(finding: Finding, rng: np.random.Generator) -> str:
    name = _NAMES[finding.kind]
    return _one_of(
        rng,
        (
            f"There is a {finding.severity} {finding.side} {name}.",
            f"{finding.severity.capitalize()} {finding.side}-sided {name}.",
            f"A {finding.severity} {finding.side} {name} is present.",
        ),
    )


def _plan(findings: Sequence[Finding], n_errors: int, rng: np.random.Generator) -> dict[Kind, ErrorType]:
    """Return which error each kind of finding gets; kinds that are stated rightly are not in it."""
    choices: list[tuple[Kind, ErrorType]] = []
    present = {finding.kind for finding in findings}
    for finding in findings:
        choices += 2 * [(finding.kind, error) for error in _possible(finding)]
    # a nodule beside a mass is a matter of words, so neither is invented beside the other
    lumps = {"nodule", "mass"} if present & {"nodule", "mass"} else set()
    choices += [(kind, "false_finding") for kind in KINDS if kind not in present | lumps]
    plan: dict[Kind, ErrorType] = {}
    for position in rng.permutation(len(choices)):
        kind, error = choices[position]
        if len(plan) < n_errors and kind not in plan:
            plan[kind] = error
    return plan


def _possible(finding: Finding) -> list[ErrorType]:
    errors: list[ErrorType] = ["false_negation", "missing_finding"]
    if finding.side is not None:
        errors += ["wrong_laterality", "wrong_laterality"]  # the commonest, so it counts twice
    if finding.lobe is not None:
        errors.append("wrong_location")
    errors.append("wrong_measurement" if finding.size_cm else "wrong_severity")
    return errors


def _affirmed(finding: Finding, error: ErrorType | None, rng: np.random.Generator) -> list[_Words]:
    """Say that a finding is there, with the attribute that `error` names wrong."""
    if finding.kind == "cardiomegaly":
        said = _other(_SEVERITIES, finding.severity, rng) if error == "wrong_severity" else finding.severity
        mild, truth = _MILD[said], _MILD[finding.severity]
        wrong = error if said != finding.severity else None
        if rng.random() < 0.5:
            return [_Words("The heart appears "), _Words(f"{mild}ly", wrong, f"{truth}ly"), _Words(" enlarged.")]
        return [_Words("The cardiac silhouette shows "), _Words(mild, wrong, truth), _Words(" cardiomegaly.")]
    side = _side(finding, error)
    if finding.lobe is None:
        said = _other(_SEVERITIES, finding.severity, rng) if error == "wrong_severity" else finding.severity
        severity = _Words(said, error if said != finding.severity else None, finding.severity)
        opening = _one_of(rng, ("There is a ", "The image shows a ", "The chest X-ray demonstrates a "))
        return [_Words(opening), severity, _Words(" "), side, _Words(f" {_NAMES[finding.kind]}.")]
    lobe = _Words(str(finding.lobe))
    if error == "wrong_location":
        lobes: tuple[Lobe, ...] = ("upper", "middle", "lower") if finding.side == "right" else ("upper", "lower")
        lobe = _Words(_other(lobes, finding.lobe, rng), error, finding.lobe)
    elif error == "wrong_laterality" and finding.lobe == "middle":  # the left lung has none
        side, lobe = _Words("left lower", error, "right middle"), _Words("")
    place = [side, _Words(" " if lobe.text else ""), lobe, _Words(" lobe")]
    if finding.kind == "consolidation":
        said = _other(_SEVERITIES, finding.severity, rng) if error == "wrong_severity" else finding.severity
        dense = _Words(_DENSE[said], error if said != finding.severity else None, _DENSE[finding.severity])
        return [_Words("There is "), dense, _Words(" consolidation in the "), *place, _Words(".")]
    size = _Words(f"{finding.size_cm:.1f}")
    if error == "wrong_measurement":
        size = _Words(f"{_wrong_size(finding):.1f}", error, size.text)
    opening = _one_of(rng, ("There is a ", "The chest X-ray shows a "))
    return [_Words(opening), size, _Words(f" cm {finding.kind} in the "), *place, _Words(".")]


def _side(finding: Finding, error: ErrorType | None) -> _Words:
    right = str(finding.side)
    if error == "wrong_laterality":
        return _Words("left" if right == "right" else "right", error, right)
    return _Words(right)


def _wrong_size(finding: Finding) -> float:
    """Return another size of the same class, far enough from the true one to matter."""
    if finding.kind == "nodule":
        return finding.size_cm + 1.2 if finding.size_cm < 1.7 else finding.size_cm - 1.0
    return finding.size_cm + 2.0


def _denied_wrongly(finding: Finding, rng: np.random.Generator) -> list[_Words]:
    truth = f"a {finding.severity} {finding.side} {_NAMES[finding.kind]}"
    if finding.kind == "cardiomegaly":
        return [
            _Words("The heart size is "),
            _Words("normal", "false_negation", f"{_MILD[finding.severity]}ly enlarged"),
            _Words("."),
        ]
    if finding.lobe is not None:
        size = _DENSE[finding.severity] if finding.kind == "consolidation" else f"a {finding.size_cm:.1f} cm"
        truth = f"{size} {_NAMES[finding.kind]} in the {finding.side} {finding.lobe} lobe"
    denial = _Words(f"no {_NAMES[finding.kind]}", "false_negation", truth)
    return [_Words("There is "), denial, _Words(_one_of(rng, (".", " on this image.")))]


def _invented(kind: Kind, rng: np.random.Generator) -> list[_Words]:
    side, severity = _one_of(rng, SIDES), _one_of(rng, _SEVERITIES)
    lobe = _one_of(rng, ("upper", "lower"))
    if kind == "cardiomegaly":
        return [
            _Words("The heart is "),
            _Words(f"{_MILD[severity]}ly enlarged", "false_finding", "normal in size"),
            _Words("."),
        ]
    if kind == "consolidation":
        said = f"{_DENSE[severity]} consolidation in the {side} {lobe} lobe"
    elif kind in ("nodule", "mass"):
        size_cm = rng.uniform(1.0, 2.6) if kind == "nodule" else rng.uniform(3.2, 6.0)
        said = f"a {size_cm:.1f} cm {kind} in the {side} {lobe} lobe"
    else:
        said = f"a {severity} {side} {_NAMES[kind]}"
    opening = _one_of(rng, ("There is ", "The image shows ", "The chest X-ray reveals "))
    return [_Words(opening), _Words(said, "false_finding", f"no {_NAMES[kind]}"), _Words(".")]


def _denials(absent: Sequence[Kind], rng: np.random.Generator) -> list[list[_Words]]:
    """Say of some absent findings that they are absent, which is right."""
    sentences = []
    if "cardiomegaly" in absent and rng.random() < 0.7:
        sentences.append(
            [_Words(_one_of(rng, ("The heart is normal in size.", "The cardiac silhouette is within normal limits.")))]
        )
    others = [_NAMES[kind] for kind in absent if kind != "cardiomegaly" and rng.random() < 0.6]
    if others:
        opening = _one_of(rng, ("There is no ", "There is no evidence of ", "No "))
        ending = " is seen." if opening == "No " else "."
        sentences.append([_Words(f"{opening}{_listed(others, 'or')}{ending}")])
    return sentences


class _Asked(NamedTuple):
    prompt: str
    reference: str
    answer: list[_Words]


def _asked_presence(findings: Sequence[Finding], wrong: bool, rng: np.random.Generator) -> _Asked:
    finding = findings[int(rng.integers(len(findings)))] if findings and rng.random() < 0.6 else None
    absent = [kind for kind in KINDS if kind not in {f.kind for f in findings}]
    kind = finding.kind if finding is not None else _one_of(rng, absent)
    name = _NAMES[kind]
    article = "" if kind in ("consolidation", "cardiomegaly") else "a "
    prompt = _one_of(
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
        return _Asked(prompt, truth, [_Words(f"{truth}, there is {true_words} on the chest X-ray.")])
    error: ErrorType = "false_negation" if finding is not None else "false_finding"
    opposite = _Words("No" if truth == "Yes" else "Yes", error, truth)
    return _Asked(
        prompt,
        truth,
        [opposite, _Words(", there is "), _Words(false_words, error, true_words), _Words(" on the chest X-ray.")],
    )


def _asked_side(finding: Finding, wrong: bool, rng: np.random.Generator) -> _Asked:
    name = _NAMES[finding.kind]
    prompt = _one_of(rng, (f"On which side is the {name}?", f"Which side is the {name} on?"))
    side = _side(finding, "wrong_laterality" if wrong else None)
    return _Asked(prompt, str(finding.side).capitalize(), [_Words(f"The {name} is on the "), side, _Words(" side.")])


def _asked_place(finding: Finding, wrong: bool, rng: np.random.Generator) -> _Asked:
    name = _NAMES[finding.kind]
    prompt = _one_of(rng, (f"Where is the {name} located?", f"Where is the {name}?"))
    side, lobe = (
        _side(finding, "wrong_laterality" if wrong and finding.lobe != "middle" else None),
        _Words(str(finding.lobe)),
    )
    if wrong and finding.lobe == "middle":
        lobe = _Words("upper", "wrong_location", "middle")
    reference = f"{str(finding.side).capitalize()} {finding.lobe} lobe"
    return _Asked(
        prompt,
        reference,
        [_Words(f"The {name} is located in the "), side, _Words(" "), lobe, _Words(" lobe of the lung.")],
    )


def _asked_size(finding: Finding, wrong: bool, rng: np.random.Generator) -> _Asked:
    size = _Words(f"{finding.size_cm:.1f}")
    if wrong:
        size = _Words(f"{_wrong_size(finding):.1f}", "wrong_measurement", size.text)
    prompt = _one_of(rng, (f"How large is the {finding.kind}?", f"What is the size of the {finding.kind}?"))
    return _Asked(
        prompt, f"{finding.size_cm:.1f} cm", [_Words(f"The {finding.kind} measures about "), size, _Words(" cm.")]
    )


def _joined(sentences: Sequence[Sequence[_Words]]) -> tuple[str, tuple[Planted, ...]]:
    text, planted = "", []
    for sentence in sentences:
        text += " " if text else ""
        for words in sentence:
            if words.error_type is not None:
                end = len(text) + len(words.text)
                planted.append(
                    Planted(error_type=words.error_type, start_char=len(text), end_char=end, truth=words.truth)
                )
            text += words.text
    return text, tuple(planted)


def _listed(names: Sequence[str], last: str) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"


def _one_of(rng: np.random.Generator, choices: Sequence[T]) -> T:
    return choices[int(rng.integers(len(choices)))]


def _other(choices: Sequence[T], true: T, rng: np.random.Generator) -> T:
    return _one_of(rng, [choice for choice in choices if choice != true])
