"""The "yes" or "no" of an answer as a claim: the question carries what is claimed, the word whether it is so."""

from collections.abc import Sequence

from medprefkit.detect.attributes import Mark, find_marks
from medprefkit.detect.descriptions import kind_of
from medprefkit.detect.drafts import Draft
from medprefkit.detect.open_words import open_concept
from medprefkit.detect.questions import Question
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import vocabulary
from medprefkit.detect.words import DISPLAY_VERBS, SEEN, bag
from medprefkit.records import ClaimRole

_PRIORITY = {"finding": 0, "normality": 0, "device": 0, "view_plane": 1, "modality": 1, "organ": 2, "other": 3}
_EXISTENCE = bag("""is are was were does do did can could the a an any there this that these image picture in on of view
    seen visible present shown appear exist existing contain identified visualized be show both section slice scan
    here""")
_DEFINITE = bag("the this these that those")
_DESCRIBING = frozenset({"descriptor", "laterality", "quantity", "location", "severity", "temporal"})


def read_yes_no(words: Words, question: Question, asked: Sequence[Draft], asked_words: Words) -> list[Draft]:
    """Return the claim that the text's first word makes; one for each alternative that a "no" denies.

    Args:
        words: The text; its first token is "yes" or "no".
        question: What was asked.
        asked: The question's claims, read as if it were a statement.
        asked_words: The question's words.
    """
    says_yes = words.lower[0].startswith("y")
    main = _main_claim(asked_words, asked) or _organ_in_view(asked_words)
    if main is None or (question.kind == "either" and says_yes and main.list_id is not None):
        return [_answer(words, question, open_concept(asked_words), says_yes=says_yes)]
    if _is_given(main, asked_words):
        described = _description(main, asked_words)
        concept = described.value if described else open_concept(asked_words)
        draft = _answer(words, question, concept, says_yes=says_yes)
        draft.kind, draft.anatomy = kind_of(described) if described else "other", [main.concept]
        return [draft]
    drafts: list[Draft] = []
    for claim in asked if main in asked else [main]:
        listed = main.list_id is not None and claim.list_id == main.list_id and not says_yes
        if claim is main or listed:
            draft = _answer(words, question, claim.concept, says_yes=says_yes == (claim.polarity == "affirmed"))
            draft.kind, draft.anatomy = claim.kind, list(claim.anatomy)
            draft.carried = tuple(dict.fromkeys((mark.kind, mark.value) for mark in claim.marks))
            drafts.append(draft)
    return drafts


def _answer(words: Words, question: Question, concept: str, *, says_yes: bool) -> Draft:
    end = next((i + 1 for i, word in enumerate(words.lower) if word == "."), len(words))
    role: ClaimRole = "slot_answer" if question.negative else "yes_no"
    draft = Draft(0, 1, concept, "other", (0, end), (0, 1), (0, 1), role=role)
    draft.polarity = "affirmed" if says_yes else "denied"
    return draft


def _is_given(main: Draft, asked_words: Words) -> bool:
    """Tell whether the question takes a finding as given: "Is the mass calcified?", "Is this a solitary nodule?"."""
    if main.kind != "finding" or main.predicate or (SEEN | DISPLAY_VERBS).intersection(asked_words.lower):
        return False
    definite = _DEFINITE.intersection(asked_words.lower[main.phrase[0] : main.start])
    return bool(definite) or (_points(asked_words) and _description(main, asked_words) is not None)


def _points(asked_words: Words) -> bool:
    return asked_words.lower[1:2] in {("this",), ("it",)}


def _description(main: Draft, asked_words: Words) -> Mark | None:
    """Return the attribute that is asked of a given finding, or None where no known one is."""
    marks = [m for m in find_marks(asked_words) if m.kind in _DESCRIBING]
    if _points(asked_words):
        return next((m for m in marks if main.phrase[0] <= m.start < main.start and m.kind != "severity"), None)
    return next((m for m in reversed(marks) if m.start >= main.end), None)


def _organ_in_view(asked_words: Words) -> Draft | None:
    """Return the organ of a question that only asks whether it is there ("Is the cerebellum in view?"), or None."""
    mentions, _ = vocabulary().find(asked_words)
    organs = [m for m in mentions if m.kind == "organ"]
    named = {i for m in organs for i in range(m.start, m.end)}
    rest = {w for i, w in enumerate(asked_words.lower) if i not in named and w.isalpha()}
    if not organs or not rest <= _EXISTENCE:
        return None
    whole, first = (0, len(asked_words)), organs[0]
    return Draft(first.start, first.end, first.concept, "organ", whole, whole, (first.start, first.end))


def _main_claim(words: Words, asked: Sequence[Draft]) -> Draft | None:
    """Return what the question is about: a predicate before the organ or finding that it is said of."""
    ranked = sorted((d for d in asked if d.kind in _PRIORITY), key=_rank)
    findings = [d for d in ranked if d.kind in {"finding", "device"}]
    if len(findings) > 1 and findings[0] is ranked[0] and words.lower[findings[0].phrase[0]] in _DEFINITE:
        return findings[1]  # "Do the masses contain calcification?"
    return ranked[0] if ranked else None


def _rank(draft: Draft) -> tuple[int, int, int]:
    return _PRIORITY[draft.kind], not draft.predicate, draft.start
