"""The words of a sentence that answer a wh-question: behind its verb, and not repeated from the question."""

from dataclasses import dataclass

from medprefkit.detect.attributes import Mark
from medprefkit.detect.drafts import Draft
from medprefkit.detect.questions import Question, Slot
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Mention
from medprefkit.detect.words import DETERMINERS, VERBS, bag
from medprefkit.records import ClaimKind

KIND_OF_SLOT: dict[Slot, ClaimKind] = {
    "modality": "modality",
    "view_plane": "view_plane",
    "organ": "organ",
    "location": "location",
    "laterality": "location",
    "quantity": "quantity",
    "measurement": "measurement",
    "descriptor": "descriptor",
    "finding": "finding",
    "other": "other",
}
_MARKS: dict[Slot, frozenset[str]] = {
    "location": frozenset({"laterality", "location"}),
    "laterality": frozenset({"laterality", "location"}),
    "quantity": frozenset({"quantity"}),
    "measurement": frozenset({"measurement"}),
    "descriptor": frozenset({"descriptor", "severity", "quantity"}),
}
_PLACE_NOUNS = bag("lobe lung zone field side quadrant region hemisphere part corner area of the hemithorax")
_JOINTS = bag(", and or the a left right")


@dataclass(frozen=True, slots=True)
class SlotReader:
    """Reads the sentence that answers.

    Attributes:
        words: The text.
        question: What was asked.
        marks: The text's attributes.
        mentions: What it names.
        sentence: Tokens of the sentence that answers.
    """

    words: Words
    question: Question
    marks: tuple[Mark, ...]
    mentions: tuple[Mention, ...]
    sentence: tuple[int, int]

    def is_new(self, start: int, end: int, concept: str = "") -> bool:
        """Tell whether the words answer rather than repeat the question; a choice is answered by repeating."""
        asked = {word.removesuffix("s") for word in self.question.words}
        named = {word.removesuffix("s") for word in self.words.lower[start:end]}
        if self.question.choice:
            return concept in self.question.concepts or bool(named & asked)
        return not named <= asked

    def names(self, kind: ClaimKind) -> list[Draft]:
        """Return a slot claim for the first new mention of the kind, and for those joined to it; none if unsure."""
        named = [m for m in self.mentions if m.kind == kind and self._answers(m.start, m.end, m.concept)]
        behind = [m for m in named if m.start > self._verb()]
        # "The lungs are part of the circulatory system.": the answer may be the subject
        fresh = behind or ([m for m in named if kind == "organ"])
        listed = fresh[:1]
        for mention in fresh[1:]:
            if set(self.words.lower[listed[-1].end : mention.start]) <= _JOINTS:
                listed.append(mention)
        return [self._named(mention, kind, 0 if len(listed) > 1 else None) for mention in listed]

    def place_or_attribute(self, slot: Slot) -> Draft | None:
        """Return the slot claim of the first new attribute of the slot's kind, or None where there is none."""
        wanted = _MARKS.get(slot, frozenset())
        marks = [m for m in self.marks if m.kind in wanted and self._answers(m.start, m.end)]
        fresh = [m for m in marks if m.start > self._verb()]
        if not fresh and slot == "laterality":  # "The left side is affected."
            fresh = marks
        if slot == "descriptor":
            fresh = [m for m in fresh if m.kind == "descriptor"] or fresh
        if fresh:
            return self._attribute(fresh[0], slot, wanted)
        organs = [m for m in self.mentions if m.kind == "organ" and self._answers(m.start, m.end)]
        placed = [m for m in organs if slot == "location" and m.start > self._verb()]
        return self._named(placed[0], "location", None) if placed else None

    def _verb(self) -> int:
        """Return the sentence's first verb, or the token before the sentence where the subject may answer."""
        before = self.sentence[0] - 1
        if self.question.choice:  # "The lung is larger than the liver."
            return before
        return next((i for i in range(*self.sentence) if self.words.lower[i] in VERBS), before)

    def _answers(self, start: int, end: int, concept: str = "") -> bool:
        inside = self.sentence[0] <= start < self.sentence[1]
        return inside and self.is_new(start, end, concept) and not self._is_denied(start)

    def _is_denied(self, start: int) -> bool:
        """Tell whether the sentence says that this is not the answer: "does not belong to the abdomen; it is ..."."""
        for i in range(start - 1, self.sentence[0] - 1, -1):
            if self.words.lower[i] in {";", "but", ",", "rather", "instead"}:
                return False
            if self.words.lower[i] == "not" or self.words.lower[i].endswith("n't"):
                return True
        return False

    def _named(self, mention: Mention, kind: ClaimKind, list_id: int | None) -> Draft:
        start = mention.start
        sides = {i for m in self.marks if m.kind == "laterality" for i in range(m.start, m.end)}
        while start - 1 >= self.sentence[0] and start - 1 in sides:
            start -= 1
        phrase = self._with_article(start), mention.end
        draft = Draft(
            mention.start, mention.end, mention.concept, kind, self.sentence, self.sentence, phrase,
            role="slot_answer", list_id=list_id,
        )  # fmt: skip
        draft.marks = [
            m for m in self.marks
            if start <= m.start and m.end <= mention.end and m.kind in {"laterality", "location"} and mention.keeps(m)
        ]  # fmt: skip
        draft.anatomy = [mention.concept] if mention.kind == "organ" else []
        return draft

    def _attribute(self, mark: Mark, slot: Slot, wanted: frozenset[str]) -> Draft:
        organs = {i: m for m in self.mentions if m.kind == "organ" for i in range(m.start, m.end)}
        start, end = mark.start, mark.end
        if slot in {"location", "laterality"}:
            placing = {i for m in self.marks if m.kind in wanted for i in range(m.start, m.end)} | organs.keys()
            while end < self.sentence[1] and (end in placing or self.words.lower[end] in {*_PLACE_NOUNS, "-", "and"}):
                end += 1
            while end > start + 1 and self.words.lower[end - 1] in {"of", "the", "and", "-"}:
                end -= 1
        named = next((organs[i] for i in range(start, end) if i in organs), None)
        concept = mark.value if slot != "location" else " ".join(self.words.lower[start:end])
        phrase = self._with_article(start), end
        draft = Draft(
            start, end, named.concept if named else concept, KIND_OF_SLOT[slot], self.sentence, self.sentence, phrase,
            role="slot_answer",
        )  # fmt: skip
        draft.marks = [
            m for m in self.marks if start <= m.start and m.end <= end and not (named and not named.keeps(m))
        ]
        draft.anatomy = [named.concept] if named else []
        return draft

    def _with_article(self, start: int) -> int:
        before = start - 1
        return before if before >= self.sentence[0] and self.words.lower[before] in DETERMINERS else start
