"""Sentences that speak again of an earlier finding: "This mass is ...", "The effusion appears ...", "These findings
suggest ...".

Such a sentence stands or falls with what it speaks of, so its claim's phrase is the whole sentence with its leading
space.
"""

from collections.abc import Sequence

from medprefkit.detect.drafts import Draft
from medprefkit.detect.tokens import Words
from medprefkit.detect.words import VERBS, bag
from medprefkit.lexicon import lexicon

_POINTING = frozenset({"this", "these", "that", "those", "such"})
_OPENERS = bag("additionally also furthermore moreover in case , the presence of however overall")
_GENERIC = frozenset({"abnormality", "lesion", "mass", "lung_opacity", "fluid_collection", "nodule"})
_EXPLAINING = bag("means indicates suggests implies could can may might indicate suggest mean")
_OF_IT = bag("located seen present characterized surrounded causing measuring measures compressing occupying situated")


def link_back(
    words: Words, sentence: tuple[int, int], drafts: Sequence[Draft], earlier: Sequence[Draft]
) -> list[Draft]:
    """Link the sentence's findings to the earlier claims that they speak of; return claims made for "It".

    Args:
        words: The text.
        sentence: Range of its tokens.
        drafts: The sentence's own claims; those that speak again of a finding are changed in place.
        earlier: Claims of the sentences before, in order.
    """
    findings = [
        d for d in earlier if d.kind in {"finding", "device"} and d.role == "statement" and d.polarity == "affirmed"
    ]
    if not findings:
        return []
    start = _subject_start(words, sentence)
    if _is_pronoun(words, start):
        last = findings[-1]
        made = Draft(
            start, start + 1, last.concept, last.kind, sentence, sentence, sentence,
            refers_to=last.refers_to or last, leading_space=True, anatomy=list(last.anatomy),
        )  # fmt: skip
        for draft in drafts:
            if draft.kind == "finding" and draft.role == "statement":
                draft.refers_to = made.refers_to
        return [made]
    for draft in drafts:
        if draft.kind != "finding" or draft.polarity == "denied" or draft.role == "definition":
            continue
        target = _target(words, draft, findings)
        if target is None:
            continue
        draft.refers_to = target.refers_to or target
        if lexicon().is_a(target.concept, draft.concept) or draft.concept in _GENERIC:
            draft.concept = target.concept
            draft.anatomy = draft.anatomy or list(target.anatomy)
        if draft.phrase[0] <= start + 1 and _speaks_only_of_it(words, sentence, draft):
            draft.phrase, draft.leading_space = sentence, True
    return []


def _is_pronoun(words: Words, i: int) -> bool:
    """Tell whether a pronoun that means the last finding is the subject: "It is located", "This means that"."""
    after = words.lower[i + 1 : i + 4]
    if words.lower[i] in {"it", "they"}:
        return any(word in _OF_IT for word in after)
    return words.lower[i] in {"this", "these"} and bool(after) and after[0] in _EXPLAINING


def _subject_start(words: Words, sentence: tuple[int, int]) -> int:
    i = sentence[0]
    if words.lower[i : i + 2] == ("in", "this") and i + 3 < sentence[1]:  # "In this case, the effusion is ..."
        i += 3
    while i + 1 < sentence[1] and words.lower[i] in _OPENERS and words.lower[i] != "the":
        i += 1
    return i


def _target(words: Words, draft: Draft, findings: Sequence[Draft]) -> Draft | None:
    """Return the latest earlier finding that a definite noun phrase can mean, or None."""
    determiner = words.lower[draft.phrase[0]]
    pointing = determiner in _POINTING
    if not pointing and not (determiner == "the" and draft.phrase[0] < draft.start):
        return None
    known = lexicon()
    for other in reversed(findings):
        same = draft.concept == other.concept or known.kin(draft.concept, other.concept)
        related = known.is_a(other.concept, draft.concept) or known.is_a(draft.concept, other.concept)
        if same or related or (pointing and draft.concept in _GENERIC):
            return other
    return None


def _speaks_only_of_it(words: Words, sentence: tuple[int, int], draft: Draft) -> bool:
    """Tell whether the sentence's one subject is the finding: no second subject after "and" or a semicolon."""
    after = range(draft.end, sentence[1])
    for i in after:
        if words.lower[i] == ";":
            return False
        if words.lower[i] in {"and", "but", "while"} and i + 2 < sentence[1] and words.lower[i + 1] in {"the", "there"}:
            tail = words.lower[i + 2 : min(i + 6, sentence[1])]
            if any(word in VERBS for word in tail):
                return False
    return True
