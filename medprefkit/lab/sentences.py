"""Sentences whose wrong words are known: the pieces that reports and answers about phantoms are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar, get_args

import numpy as np

from medprefkit.lab.radiograph import Finding, Kind, Severity
from medprefkit.records import ErrorType, Task

T = TypeVar("T")

KINDS: tuple[Kind, ...] = get_args(Kind)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

NAMES: dict[Kind, str] = {kind: kind.replace("_", " ") for kind in KINDS}
MILD: dict[Severity, str] = {"small": "mild", "moderate": "moderate", "large": "severe"}
"""What the extent of an enlarged heart is called."""

DENSE: dict[Severity, str] = {"small": "mild", "moderate": "moderate", "large": "extensive"}
"""What the extent of a consolidation is called."""


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


class Words(NamedTuple):
    """A piece of an answer: its text, and for a wrong piece the error's type and the true words."""

    text: str
    error_type: ErrorType | None = None
    truth: str = ""


def side_words(finding: Finding, error: ErrorType | None) -> Words:
    """Return the side that a finding is on, or the other one where that is the error."""
    right = str(finding.side)
    if error == "wrong_laterality":
        return Words("left" if right == "right" else "right", error, right)
    return Words(right)


def wrong_size_cm(finding: Finding) -> float:
    """Return another size of the same class, far enough from the true one to matter."""
    if finding.kind == "nodule":
        return finding.size_cm + 1.2 if finding.size_cm < 1.7 else finding.size_cm - 1.0
    return finding.size_cm + 2.0


def joined(sentences: Sequence[Sequence[Words]]) -> tuple[str, tuple[Planted, ...]]:
    """Return the sentences as one text, with a space between two, and its errors by position."""
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


def listed(names: Sequence[str], last: str) -> str:
    """Return "a", "a or b", "a, b or c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"


def one_of(rng: np.random.Generator, choices: Sequence[T]) -> T:
    """Return one of the choices, each as likely."""
    return choices[int(rng.integers(len(choices)))]


def another(choices: Sequence[T], true: T, rng: np.random.Generator) -> T:
    """Return one of the choices that is not the true one."""
    return one_of(rng, [choice for choice in choices if choice != true])
