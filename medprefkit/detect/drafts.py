"""A claim while it is being read: token ranges instead of spans, and fields that later steps fill in."""

from dataclasses import dataclass, field
from typing import Literal

from medprefkit.detect.attributes import Mark
from medprefkit.detect.tokens import Words
from medprefkit.offsets import span_of
from medprefkit.records import Attribute, Claim, ClaimKind, ClaimRole, Span


@dataclass(slots=True)
class Draft:
    """Ranges are half-open and of tokens, except `aside`, which is of characters.

    Attributes:
        predicate: It was said of an organ ("enlarged"), so the phrase is a predicate, not a noun phrase.
        refers_to: The earlier draft that this one speaks of again.
        aside: Characters that may be deleted as they stand; they are the phrase then.
        leading_space: The spaces before the phrase belong to it.
        carried: Attributes that have no words of their own in this text, since the question names them.
    """

    start: int
    end: int
    concept: str
    kind: ClaimKind
    sentence: tuple[int, int]
    clause: tuple[int, int]
    phrase: tuple[int, int]
    predicate: bool = False
    polarity: Literal["affirmed", "denied"] = "affirmed"
    certainty: Literal["certain", "uncertain", "hypothetical"] = "certain"
    experiencer: Literal["patient", "other"] = "patient"
    current: bool = True
    cue: tuple[int, int] | None = None
    marks: list[Mark] = field(default_factory=list)
    anatomy: list[str] = field(default_factory=list)
    list_id: int | None = None
    role: ClaimRole = "statement"
    refers_to: "Draft | None" = None
    aside: tuple[int, int] | None = None
    leading_space: bool = False
    carried: tuple[tuple[str, str], ...] = ()

    def moved(self, by: int, by_char: int) -> "Draft":
        """Return a copy that stands `by` tokens and `by_char` characters further on; it speaks of no other draft."""
        return Draft(
            self.start + by,
            self.end + by,
            self.concept,
            self.kind,
            (self.sentence[0] + by, self.sentence[1] + by),
            (self.clause[0] + by, self.clause[1] + by),
            (self.phrase[0] + by, self.phrase[1] + by),
            self.predicate,
            self.polarity,
            self.certainty,
            self.experiencer,
            self.current,
            None if self.cue is None else (self.cue[0] + by, self.cue[1] + by),
            [mark.moved(by) for mark in self.marks],
            self.anatomy.copy(),
            self.list_id,
            self.role,
            None,
            None if self.aside is None else (self.aside[0] + by_char, self.aside[1] + by_char),
            self.leading_space,
            self.carried,
        )


def draft_order(draft: Draft) -> tuple[int, int, int, int, str]:
    """Return the order of appearance: by the name, then the phrase, then the concept."""
    return draft.start, draft.end, *draft.phrase, draft.concept


def as_claims(words: Words, drafts: list[Draft]) -> tuple[Claim, ...]:
    """Return the drafts as claims `c0`, `c1` ... in order of appearance."""
    ordered = sorted(drafts, key=draft_order)
    names = {id(draft): f"c{i}" for i, draft in enumerate(ordered)}
    sentences = {bounds: words.span(*bounds) for bounds in {draft.sentence for draft in ordered}}
    return tuple([_as_claim(words, draft, names, sentences[draft.sentence]) for draft in ordered])


def _as_claim(words: Words, draft: Draft, names: dict[int, str], sentence: Span) -> Claim:
    span = words.span(draft.start, draft.end)
    phrase = _phrase(words, draft, span)
    return Claim.of_known(
        claim_id=names[id(draft)],
        concept=draft.concept,
        kind=draft.kind,
        span=span,
        phrase=phrase,
        sentence=sentence,
        polarity=draft.polarity,
        certainty=draft.certainty,
        experiencer=draft.experiencer,
        current=draft.current,
        cue=words.span(*draft.cue) if draft.cue else None,
        attributes=_attributes(words, draft, span),
        anatomy=tuple(dict.fromkeys(draft.anatomy)),
        list_id=draft.list_id,
        role=draft.role,
        refers_to=names[id(draft.refers_to)] if draft.refers_to else None,
    )


def _phrase(words: Words, draft: Draft, span: Span) -> Span:
    if draft.aside:
        start_char, end_char = draft.aside
        while draft.leading_space and words.text[start_char - 1 : start_char] == " ":
            start_char -= 1
        return span_of(words.text, start_char, end_char)
    if draft.leading_space:
        return words.span_with_space(*draft.phrase)
    return span if draft.phrase == (draft.start, draft.end) else words.span(*draft.phrase)


def _attributes(words: Words, draft: Draft, span: Span) -> tuple[Attribute, ...]:
    own = tuple(
        Attribute.of_known(kind=mark.kind, value=mark.value, span=words.span(mark.start, mark.end))
        for mark in sorted(set(draft.marks))
    )
    carried = tuple(
        Attribute.model_validate({"kind": kind, "value": value, "span": span}) for kind, value in draft.carried
    )
    return own + carried
