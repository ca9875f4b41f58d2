"""The "yes" or "no" of an answer as a claim: the question carries what is claimed, the word whether it is so."""

from collections.abc import Sequence

from medprefkit.detect.drafts import Draft
from medprefkit.detect.questions import Question
from medprefkit.detect.tokens import Words
from medprefkit.detect.words import bag

_EMPTY = bag("""is are was were does do did can could has have had the a an any there this that these image picture in of on at for patient
    evidence seen present visible shown show shows be it to ? . , 's from what""")
_PRIORITY = {"finding": 0, "normality": 0, "device": 0, "view_plane": 1, "modality": 1, "organ": 2, "other": 3}


def read_yes_no(words: Words, question: Question, asked: Sequence[Draft], asked_words: Words) -> Draft:
    """Return the claim that the text's first word makes.

    Args:
        words: The text; its first token is "yes" or "no".
        question: What was asked.
        asked: The question's claims, read as if it were a statement.
        asked_words: The question's words.
    """
    says_yes = words.lower[0].startswith("y")
    end = next((i + 1 for i, word in enumerate(words.lower) if word == "."), len(words))
    draft = Draft(0, 1, "", "other", (0, end), (0, 1), (0, 1), role="slot_answer" if question.negative else "yes_no")
    main = _main_claim(asked)
    if main is None:
        draft.concept = open_concept(asked_words)
        draft.polarity = "affirmed" if says_yes else "denied"
        return draft
    draft.concept, draft.kind = main.concept, main.kind
    draft.anatomy = list(main.anatomy)
    draft.carried = tuple(dict.fromkeys((mark.kind, mark.value) for mark in main.marks))
    draft.certainty = "certain"
    affirmed = main.polarity == "affirmed"
    draft.polarity = "affirmed" if affirmed == says_yes else "denied"
    return draft


def open_concept(words: Words) -> str:
    """Return the words of an open slot without those that say nothing, joined by spaces."""
    kept = [word for word in words.lower if word not in _EMPTY and word.isalnum()]
    return " ".join(kept) or " ".join(words.lower)


def _main_claim(asked: Sequence[Draft]) -> Draft | None:
    """Return what the question is about: a predicate before the organ or finding that it is said of."""
    ranked = sorted(asked, key=_rank)
    return ranked[0] if ranked and ranked[0].kind in _PRIORITY else None


def _rank(draft: Draft) -> tuple[int, int, int]:
    return _PRIORITY.get(draft.kind, 9), not draft.predicate, draft.start
