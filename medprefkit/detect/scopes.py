"""What denies a claim, makes it uncertain, past or someone else's, and how far each such cue reaches.

A sentence is cut into clauses where a new subject and verb begin; no cue reaches across a cut. After NegEx (Chapman et
al. 2001) and ConText (Harkema et al. 2009). Differs: cues after the finding ("is not seen", "are absent"), "neither ...
nor", "cannot exclude", and lists whose later members have an article of their own, are told apart by the words around
them.
"""

from collections.abc import Collection
from itertools import pairwise
from typing import NamedTuple

from medprefkit.detect.cue_words import CUE_LENGTHS, CUES_AFTER, CUES_BEFORE, Effect
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Mention
from medprefkit.detect.words import SEEN, VERBS, bag


class Cue(NamedTuple):
    """Tokens [start, end) are a cue that reaches over tokens [first, last)."""

    start: int
    end: int
    effect: Effect
    first: int
    last: int


_EITHER_SIDE = frozenset({"versus", "vs"})
_STOPS_SCOPE = bag("but except however although though yet")
_EXCEPTIONS = frozenset(
    {("aside", "from"), ("apart", "from"), ("other", "than"), ("secondary", "to"), ("as", "evidenced"), ("with", "the")}
)
"""What follows these is not denied: "no abnormality other than cardiomegaly"."""
_OF_TODAY = frozenset({"without", "no", "now", "currently"})
_HARD = frozenset(";:")
_VERDICTS = frozenset({("none",), ("absent",), ("negative",), ("no",)})
"""After a colon they are said of what stands before it: "effusion: none"."""
_NEW_CLAUSE = bag("but however although though whereas while which who where because")
_COORDINATORS = frozenset({",", "and", "or", "nor", "with"})
_SAID = bag("normal clear unremarkable intact no without enlarged limits stable")
"""Words that say something of a subject without a verb: "heart size normal and lungs are clear"."""
_DENIES = frozenset({"no", "without"})
"""After one of these, "or" goes on with its list: "no bony or soft tissue abnormality is seen"."""
_OPENS_A_MEMBER = bag("a an the there multiple several numerous with")
"""Words that open a list's next member with an article of its own, which an earlier cue does not reach."""
_ALSO_PARTICIPLES = bag("demonstrated displayed depicted showed suggested")
_AFTER_PARTICIPLE = bag(". in on at by within")
"""Behind a finding and before one of these they are no finite verb: "no pneumothorax or effusion demonstrated ."."""
_ADJECTIVES = bag("possible potential probable questionable suspected")
_OPENS_A_CLAUSE = frozenset({"no", "there", "neither", "the", "both"})
_NOUNS_IN_ING = (
    "vomiting", "bleeding", "wheezing", "swelling", "thickening", "widening", "blunting", "scarring", "narrowing",
    "crowding", "cuffing", "flattening", "stranding", "itching", "tingling", "bruising", "trapping", "honeycombing",
    "shadowing", "bowing", "tenting", "layering",
)  # fmt: skip
"""Findings, not participles: "no effusion, thickening, or mass"."""
_IN_SUBJECT = bag(", and the size contour contours silhouette silhouettes structures fields vasculature vascularity")
_SIZES = bag("large sizable big massive huge moderate larger")


def cut_clauses(words: Words, start: int, end: int, mentions: list[Mention]) -> tuple[tuple[int, int], ...]:
    """Return the clauses of the sentence [start, end), in order; together they hold all its tokens.

    Args:
        words: The text.
        start: First token of the sentence.
        end: Token after its last.
        mentions: What the sentence names; an organ before a verb is a new subject.
    """
    organs = {i for m in mentions if m.kind == "organ" for i in range(m.start, m.end)}
    named = {m.start for m in mentions if m.kind not in {"organ", "modality"}}
    cuts = [start]
    verb_seen = False
    i = start
    while i < end:
        word = words.lower[i]
        if (word in _HARD and words.lower[i + 1 : i + 2] not in _VERDICTS) or (word in _NEW_CLAUSE and i > start):
            cuts.append(i)
            verb_seen = False
        elif word in _COORDINATORS and i > start:
            first = i + 1
            while first < end and words.lower[first] in _COORDINATORS:
                first += 1
            verb = _verb_of_clause(words, first, end, organs)
            subject = any(j in organs for j in range(first, verb)) if verb is not None else False
            said = verb_seen or bool(_SAID & set(words.lower[cuts[-1] : i])) or any(cuts[-1] <= j < i for j in named)
            listed = word in {"or", "nor"} and not verb_seen and not _DENIES.isdisjoint(words.lower[cuts[-1] : i])
            if verb is not None and verb > first and not listed and (verb_seen or (subject and said)):
                cuts.append(i)
                verb_seen = False
            i = first - 1
        if word in VERBS:
            verb_seen = True
        i += 1
    cuts.append(end)
    return tuple((a, b) for a, b in pairwise(cuts) if a < b)


def find_cues(words: Words, clause: tuple[int, int], *, skip: int = 0) -> list[Cue]:
    """Return the cues of one clause with their reach, in order of position.

    Args:
        words: The text.
        clause: Range of tokens.
        skip: Tokens before this one are no cue: the "No" that answers a question.
    """
    first, last = clause
    found: list[Cue] = []
    i = max(first, skip)
    while i < last:
        cue = _cue_at(words, i, clause)
        if cue is None:
            i += 1
        else:
            found.append(cue)
            i = cue.end
    return _stop_at_next_denial(found)


def names_a_size(words: Words, start: int, end: int) -> bool:
    """Tell whether tokens [start, end) name a size: "no large effusion" leaves room for a small one."""
    return not _SIZES.isdisjoint(words.lower[start:end])


def _cue_at(words: Words, i: int, clause: tuple[int, int]) -> Cue | None:
    first, last = clause
    for length in CUE_LENGTHS.get(words.lower[i], ()):
        if length > last - i:
            continue
        key = words.lower[i : i + length]
        after, before = CUES_AFTER.get(key), CUES_BEFORE.get(key)
        negative_for = key[-1] == "negative" and words.lower[i + length : i + length + 1] == ("for",)
        if after and i > first and not negative_for and not (before and _names_follow(words, i + length, last)):
            return Cue(i, i + length, after, first, i)
        if before:
            return _reach(words, Cue(i, i + length, before, i + length, last), clause)
    if words.lower[i] in _EITHER_SIDE:
        return Cue(i, i + 1, "uncertain", max(first, i - 6), min(last, i + 6))
    return None


def _names_follow(words: Words, i: int, last: int) -> bool:
    return i < last and words.lower[i] not in {",", ".", "and", "or", "in", "on", "at", "from"}


def _reach(words: Words, cue: Cue, clause: tuple[int, int]) -> Cue:
    """Return a cue with its reach to the right, or to the left where it denies the verb of a subject before it."""
    first, last = clause
    word = words.lower[cue.end - 1]
    negates_verb = word in {"not", "cannot", "can't"} or word.endswith(("n't", "n’t"))
    if negates_verb:
        j = cue.end
        while j < last and (
            words.lower[j] in {"be", "been", "clearly", "definitely", "well"} or words.lower[j].endswith("ly")
        ):
            j += 1
        if j < last and words.lower[j] in SEEN and cue.start > first:
            if _on_a_prior(words, j + 1, last):
                return Cue(cue.start, j + 1, "none", first, cue.start)
            return Cue(_auxiliary(words, cue.start, first), j + 1, "denied", first, cue.start)
    return Cue(cue.start, cue.end, cue.effect, cue.end, _end_of_reach(words, cue, last))


def _on_a_prior(words: Words, i: int, last: int) -> bool:
    """Tell whether "not seen" speaks of an older study, so that the finding is new: "not seen on prior exams"."""
    return bool({"prior", "previous", "previously", "earlier"} & set(words.lower[i : min(i + 4, last)]))


def _auxiliary(words: Words, i: int, first: int) -> int:
    return i - 1 if i - 1 >= first and words.lower[i - 1] in VERBS else i


def _end_of_reach(words: Words, cue: Cue, last: int) -> int:
    denies = cue.effect in {"denied", "resolved"}
    past = cue.effect == "history"
    for j in range(cue.end, last):
        word, before = words.lower[j], words.lower[j - 1]
        if past and word in _OF_TODAY:  # "history of lobectomy without effusion"
            return j
        cause = word == "as" and before not in {"such", "well"} and words.lower[j + 1 : j + 2] != ("well",)
        if word in _STOPS_SCOPE or word == "whether" or cause or words.lower[j : j + 2] in _EXCEPTIONS:
            return j
        if j > cue.end and before in {"and", ","} and word in VERBS:  # "are not clear and show infiltrates"
            return j - 1
        if j == cue.end:
            continue
        if before in {",", "and"} and word in _OPENS_A_MEMBER and cue.effect != "hypothetical":
            return j
        if before == "," and words.lower[cue.start] in _ADJECTIVES:  # "possible pneumonia, a nodule"
            return j
        trailing = word.endswith("ing") and not word.endswith(_NOUNS_IN_ING)
        if denies and before == "," and (trailing or word in {"consistent", "compatible", "with"}):
            return j
    return last


def _stop_at_next_denial(cues: list[Cue]) -> list[Cue]:
    """Let a denial end where the next one begins, so that "neither A nor B" denies each once."""
    stopped: list[Cue] = []
    for k, cue in enumerate(cues):
        later = [c for c in cues[k + 1 :] if c.effect == "denied" and c.start > cue.end and c.first >= c.end]
        last = cue.last
        if cue.effect in {"denied", "uncertain"} and cue.first >= cue.end and later:
            last = min(last, later[0].start)
        stopped.append(Cue(cue.start, cue.end, cue.effect, cue.first, last))
    return stopped


def _verb_of_clause(words: Words, first: int, end: int, organs: Collection[int]) -> int | None:
    """Return the verb of the clause that may begin at token `first`, or None.

    A clause may hold a list before its verb: "and no clips or sutures are seen", ", the heart and mediastinum are". A
    list of structures needs no article: "heart size is enlarged and mediastinum and hila are normal".
    """
    verb = _next_verb(words, first, end)
    if verb is None and first in organs:
        i = first
        while i < end and (i in organs or words.lower[i] in _IN_SUBJECT):
            i += 1
        return i if i < end and words.lower[i] in VERBS else None
    i = first
    while verb is None and first < end and words.lower[first] in _OPENS_A_CLAUSE and i < end:
        i = next((j + 1 for j in range(i, end) if words.lower[j] in _COORDINATORS), end)
        verb = _next_verb(words, i, end)
    return verb


def _next_verb(words: Words, start: int, end: int) -> int | None:
    """Return the first finite verb before the next coordinator, or None."""
    for i in range(start, end):
        word = words.lower[i]
        participle = word in _ALSO_PARTICIPLES and (i + 1 >= end or words.lower[i + 1] in _AFTER_PARTICIPLE)
        if word in VERBS and words.lower[i - 1 : i] != ("to",) and not participle:
            return i
        if word in _COORDINATORS or word in _HARD or word in _NEW_CLAUSE or word in {"that", "."}:
            return None
    return None
