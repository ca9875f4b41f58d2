"""One word for another: an attribute, or what fills the slot that a question asked for, fitted into the sentence.

Only the wrong word is the claim's span; an article before it that no longer fits is part of the edit.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from medprefkit.edit.change import Change, Refusal, change
from medprefkit.edit.words import article, is_plural
from medprefkit.offsets import span_of
from medprefkit.records import ATTRIBUTE_ERROR, Claim, Span, Verdict

_ARTICLE_BEFORE = re.compile(r"\b(?P<article>an?)\s+$", re.I)
_PARENTHESIS = re.compile(r"\s*\((?P<inside>[^()]*)\)")
_ACRONYM = re.compile(r"[A-Z0-9-]{2,}")
_SLOT_NOUNS = ("plane", "view", "weighted", "section", "projection", "imaging", "scan", "image", "system")
_OWN_NOUN = re.compile(r"\b(?:scan|image|imaging|x-?rays?|radiographs?|ultrasound|plane|view|section|weighted)\b", re.I)
_EDGES = re.compile(r"^[^\w(]+|[\s.,;:]+$")
_NAMES_IMAGE = re.compile(r"\s+(?:x-?ray|ct|mri|scan|image|radiograph|ultrasound)\b", re.I)
_BETWEEN = re.compile(r"\s*,?\s*(?:and\s+|or\s+)?(?:the\s+)?", re.I)
_SHADES = r"(?:bright|dark|light|pale|deep|white|black|gr[ae]y|brown|red|blue|green|yellow|pink|purple)"
_COLOURS = re.compile(rf"\b{_SHADES}\b", re.I)
_SHADE_LEFT = re.compile(rf"\b(?P<shade>{_SHADES})[\s-]+$", re.I)
_SHADE_RIGHT = re.compile(rf"[\s-]+{_SHADES}\b", re.I)
_LIST_AFTER = re.compile(
    r",\s+(?!which|who|specif|show|such|as\b|it\b|this|with|locat|indicat|suggest|and\s+(?:it|there|the\s+image)\b)"
    r"[\w'’\s-]{1,40}?(?:,|\s+and\b|\s+or\b)|,?\s+(?:and|or)\s+(?!is\b|are\b|it\b|there\b|the\s+image\b)[\w'’-]+",
    re.I,
)
_BODY = re.compile(
    r"\b(?:abdominal|abdomen|chest|brain|head|pelvic|pelvis|thoracic|cranial|spinal|spine|cardiac|breast|neck|lumbar)\b",
    re.I,
)
_BODY_BEFORE = re.compile(rf"{_BODY.pattern}\s+$", re.I)
_WORD = re.compile(r"[^\s,]+")
_PLACED = re.compile(
    r"(?:adjacent|near|next|behind|beneath|above|below|under|within|inside|outside|along|around|between|in|on|at)\b",
    re.I,
)
_PREPOSITION_BEFORE = re.compile(r"\b(?P<word>in|on|at|within|near)\s+(?:the\s+)?$", re.I)
_SPELLED = {
    "1": "one", "one": "one", "single": "one", "a single": "one", "2": "two", "two": "two", "3": "three",
    "three": "three", "4": "four", "four": "four", "5": "five", "five": "five", "6": "six", "six": "six",
}  # fmt: skip
_DESCRIBED = frozenset({"finding", "device", "organ", "location"})
"""Kinds whose attributes are words of their own; a size with its unit is one value."""
_SIZE = re.compile(r"\d+(?:\.\d+)?(?:\s*(?:x|×|by)\s*\d+(?:\.\d+)?)*\s*(?:mm|cm|millimet\w+|centimet\w+)\b", re.I)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_ADJECTIVE_ONLY = re.compile(r"(?:\w+[\s-])?\w+(?:al|ary|ic|ous|ular)$", re.I)
_WEIGHTED_TWICE = re.compile(r"\b(T[12])W(?=[\s-]+weighted\b)", re.I)
_VERB_NEXT = re.compile(r"\s+(?P<verb>is|are)\b(?!\s+(?:the|an?)\s+organs?)")
_PIECE = re.compile(r"\w+|\W")
_SIDES = frozenset({"left", "right", "left-sided", "right-sided"})


def replace_words(text: str, claim: Claim, verdict: Verdict) -> Change | Refusal:
    """Put the verdict's truth where its target stands.

    Args:
        text: The answer.
        claim: The claim that is wrong.
        verdict: Has a target inside the answer and a truth that is not empty.

    Raises:
        ValueError: If the verdict has no target.
    """
    if verdict.target is None:
        raise ValueError(f"{verdict.claim_id}: a verdict without a target cannot be put right")
    ids = (claim.claim_id,)
    if (contrast := _contrast(text, claim, verdict)) is not None:
        return contrast
    if (
        verdict.error_type == "wrong_laterality"
        and claim.role == "slot_answer"
        and _says_side_again(text, verdict.target)
    ):
        return Refusal(ids, f"{verdict.target.text!r} is said elsewhere too")
    start, end = _with_twin(text, verdict.target.start_char, verdict.target.end_char)
    if _COLOURS.search(verdict.truth):
        start, end = _with_shades(text, start, end)
    if claim.role == "slot_answer" and _LIST_AFTER.match(text, end) is not None:
        return Refusal(ids, f"{verdict.target.text!r} is one of a list, of which the rest is not known to be right")
    if verdict.error_type == "wrong_modality" and _BODY.search(verdict.truth):
        start = body.start() if (body := _BODY_BEFORE.search(text[:start])) is not None else start
    words = _fitted(text, start, end, verdict)
    if words is None and (counted := _counted(text, start, end, verdict, ids)) is not None:
        return counted
    if words is None:
        return Refusal(ids, f"{verdict.truth!r} does not fit for {verdict.target.text!r}")
    stop = _with_gloss(text, end, verdict)
    if _PLACED.match(words) is not None and (lead := _PREPOSITION_BEFORE.search(text[:start])) is not None:
        start = lead.start("word")  # "in the [chest]" -> "adjacent to the appendix"
    if (verb := _fitting_verb(text, start, stop, words, claim)) is not None:
        start, stop, words = verb
    start, stop, words = _trimmed(text, start, stop, words)
    before = _ARTICLE_BEFORE.search(text[claim.sentence.start_char : start])
    if before is None:
        return change(start, stop, words, ids, wrong=(start, stop))
    at = claim.sentence.start_char + before.start("article")
    if is_plural(words) and stop == claim.span.end_char:
        return change(at, stop, words, ids, wrong=(start, stop))
    fitting = article(words)
    if fitting == before["article"].lower():
        return change(start, stop, words, ids, wrong=(start, stop))
    if before["article"][0].isupper():
        fitting = fitting.capitalize()
    return change(at, stop, f"{fitting} {words}", ids, wrong=(start, stop))


def _fitting_verb(text: str, start: int, stop: int, words: str, claim: Claim) -> tuple[int, int, str] | None:
    """Take in a verb that no longer agrees with its subject: "the [lungs are] part of" -> "the heart is part of"."""
    found = _VERB_NEXT.match(text, stop)
    if found is None or claim.kind != "organ" or text[claim.sentence.start_char : start].count(" ") > 5:
        return None
    many = is_plural(words) or " and " in words
    if many == (found["verb"] == "are"):
        return None
    return start, found.end(), f"{words} {'are' if many else 'is'}"


def _says_side_again(text: str, target: Span) -> bool:
    """Tell whether what follows names the wrong side too."""
    side = re.search(r"left|right", target.text, re.I)
    return side is not None and re.search(rf"\b{side[0]}\b", text[target.end_char :], re.I) is not None


def _contrast(text: str, claim: Claim, verdict: Verdict) -> Change | Refusal | None:
    """Swap the names where the answer sets the true one against the wrong one: "the liver is smaller than the kidney".

    To write the truth once more would name it twice. None where the sentence does not name it.
    """
    target, truth = verdict.target, re.sub(r"^(?:the|an?)\s+", "", _EDGES.sub("", verdict.truth), flags=re.I)
    if target is None or claim.role != "slot_answer" or not truth:
        return None
    rest = text[target.end_char : claim.sentence.end_char]
    other = re.search(rf"\b{re.escape(truth)}\b", rest, re.I)
    if other is None:
        return None
    ids = (claim.claim_id,)
    if (
        re.search(
            r"\b(?:than|not|compared\s+(?:to|with)|instead\s+of|unlike|versus)\s+(?:of\s+)?(?:the\s+|an?\s+)?$",
            rest[: other.start()],
        )
        is None
    ):
        return Refusal(ids, f"{truth!r} stands in the sentence already")
    ours = re.sub(r"^(?:the|an?)\s+", "", target.text, flags=re.I)
    lead = len(target.text) - len(ours)
    stop = target.end_char + other.end()
    words = f"{_cased(truth, ours, opens=False)}{rest[: other.start()]}{ours}"
    return change(target.start_char + lead, stop, words, ids, wrong=(target.start_char + lead, target.end_char))


def replace_attributes(text: str, claim: Claim, verdict: Verdict) -> list[Change | Refusal]:
    """Put the verdict's truth where its target stands, one change a word where several attributes are wrong.

    "large right" -> "small left" is a wrong severity and a wrong side. Arguments as `replace_words`.
    """
    target = verdict.target
    pieces = _WORD.finditer(target.text) if target is not None else iter(())
    words, truths = list(pieces), _WORD.findall(verdict.truth)
    if target is None or len(words) < 2 or len(words) != len(truths) or not _is_described(claim, verdict):
        return [replace_words(text, claim, verdict)]
    changes: list[Change] = []
    for word, truth in zip(words, truths, strict=True):
        if word[0] == truth:
            continue
        at = target.start_char + word.start()
        kind = next((a.kind for a in claim.attributes if a.span.start_char <= at < a.span.end_char), None)
        error = ATTRIBUTE_ERROR.get(kind) if kind is not None else None
        if error is None or kind == "measurement":  # number and unit are one
            return [replace_words(text, claim, verdict)]
        span = span_of(text, at, at + len(word[0]))
        made = replace_words(
            text, claim, verdict.model_copy(update={"target": span, "truth": truth, "error_type": error})
        )
        if isinstance(made, Refusal):
            return [made]
        changes.append(replace(made, error_type=error))
    return list(changes)


def _is_described(claim: Claim, verdict: Verdict) -> bool:
    """Tell whether each wrong word is an attribute of its own; where a device's tip lies is one name."""
    return claim.kind in _DESCRIBED and verdict.error_type != "wrong_device"


def replace_list(text: str, members: Sequence[Claim], verdicts: Mapping[str, Verdict]) -> Change | Refusal:
    """Put one truth where a list of wrong answers stands: "heart and lungs" -> "stomach and colon"."""
    ordered = sorted(members, key=_start)
    if len(ordered) == 1:
        return replace_words(text, ordered[0], verdicts[ordered[0].claim_id])
    ids = tuple(c.claim_id for c in ordered)
    for one, two in pairwise(ordered):
        if _BETWEEN.fullmatch(text[one.span.end_char : two.span.start_char]) is None:
            return Refusal(ids, "other words stand between the members of a wrong list")
    first, last = ordered[0], ordered[-1]
    verdict = verdicts[first.claim_id]
    words = _fitted(text, first.span.start_char, first.span.end_char, verdict)
    if words is None or is_plural(words) != is_plural(text[first.span.start_char : last.span.end_char]):
        return Refusal(ids, f"{verdict.truth!r} does not fit for a list")
    return change(first.span.start_char, last.span.end_char, words, ids)


def _with_shades(text: str, start: int, end: int) -> tuple[int, int]:
    """Take in the other words of one colour: "bright white"."""
    while (left := _SHADE_LEFT.search(text[:start])) is not None:
        start = left.start("shade")
    while (right := _SHADE_RIGHT.match(text, end)) is not None:
        end = right.end()
    return start, end


def _start(claim: Claim) -> int:
    return claim.span.start_char


def _with_twin(text: str, start: int, end: int) -> tuple[int, int]:
    """Take in the short form that the target spells out in brackets: "CT (computed tomography)" is one name."""
    found = re.search(r"(?P<short>[\w-]+)\s*\($", text[:start])
    if found is None or not text.startswith(")", end):
        return start, end
    initials = "".join(word[0] for word in re.findall(r"\w+", text[start:end]))
    return (found.start("short"), end + 1) if initials.lower() == found["short"].lower() else (start, end)


def _trimmed(text: str, start: int, end: int, words: str) -> tuple[int, int, str]:
    """Leave out the words that both have at either end: "right atrium" and "right lobe" differ in one word."""
    old, new = _PIECE.findall(text[start:end]), _PIECE.findall(words)
    if new and (kept := _further_place(old, new)):
        end -= len("".join(kept))
        old = old[: -len(kept)]
    while len(old) > 1 and len(new) > 1 and old[0].lower() == new[0].lower():
        start += len(old[0])
        old, new = old[1:], new[1:]
    while len(old) > 1 and len(new) > 1 and old[-1].lower() == new[-1].lower():
        end -= len(old[-1])
        old, new = old[:-1], new[:-1]
    return start, end, "".join(new)


def _further_place(old: Sequence[str], new: Sequence[str]) -> Sequence[str]:
    """Return what the answer says of the place beyond the truth's last word: " of the lung" after "lower lobe"."""
    lowered = [piece.lower() for piece in old]
    if new[-1].lower() not in lowered:
        return ()
    rest = old[lowered.index(new[-1].lower()) + 1 :]
    return rest if len(rest) > 1 and rest[1].lower() in {"of", "in"} else ()


def _fitted(text: str, start: int, end: int, verdict: Verdict) -> str | None:
    """Return the truth in the form that the target's place needs, or None where that is not certain."""
    target, truth = text[start:end], _EDGES.sub("", verdict.truth)
    if not re.match(r"(?:the|an?)\s", target, re.I):
        truth = re.sub(r"^(?:the|an?)\s+", "", truth, flags=re.I)
    if _NAMES_IMAGE.match(text, end) and verdict.error_type == "wrong_organ" and " " in truth:
        return None  # "a respiratory system X-ray" is not English
    if _changes_number(text, start, end, verdict):
        return None
    truth = _without_twin(truth)
    if verdict.error_type == "wrong_descriptor" and (_SIZE.search(truth) is not None or "," in truth):
        return None  # it describes more than the one quality
    if verdict.error_type == "wrong_measurement" and not (_NUMBER.fullmatch(target) and _NUMBER.fullmatch(truth)):
        sizes = _SIZE.findall(truth)
        if len(sizes) != 1:
            return None
        truth = sizes[0]
    if _lacks_noun(text, end, target, truth, verdict):
        return None
    for noun in _SLOT_NOUNS:
        # "the coronal plane" and "Transverse Plane": the noun stands already, or must stay
        ours, theirs = re.search(rf"[\s-]{noun}$", target, re.I), re.search(rf"[\s-]{noun}$", truth, re.I)
        if theirs is not None and ours is None and re.match(rf"(?:\s+\w+)?[\s-]+{noun}\b", text[end:], re.I):
            truth = truth[: theirs.start()]
        if ours is not None and theirs is None and not _OWN_NOUN.search(truth) and _takes_noun(verdict, noun):
            truth = f"{truth}{ours[0]}"
    truth = _WEIGHTED_TWICE.sub(r"\1", truth + text[end : end + 10])[: -len(text[end : end + 10]) or None]
    opens = not text[:start].strip() or text[:start].rstrip()[-1] in ".!?:"
    return _cased(truth, target, opens=opens)


def _lacks_noun(text: str, end: int, target: str, truth: str, verdict: Verdict) -> bool:
    """Tell whether an adjective would stand for a noun: "shows the cardiopulmonary"."""
    if (
        verdict.error_type != "wrong_organ"
        or _ADJECTIVE_ONLY.fullmatch(truth) is None
        or _ADJECTIVE_ONLY.fullmatch(target)
    ):
        return False
    return not target.lower().endswith(" system") and re.match(r"\s+\w+", text[end:]) is None


def _takes_noun(verdict: Verdict, noun: str) -> bool:
    if noun == "system":
        return verdict.error_type == "wrong_organ" and _ADJECTIVE_ONLY.fullmatch(verdict.truth.rstrip(". ")) is not None
    return verdict.error_type in {"wrong_modality", "wrong_view_plane"}


def _changes_number(text: str, start: int, end: int, verdict: Verdict) -> bool:
    """Tell whether the noun after the target would have to change between one and many."""
    target, truth = text[start:end].lower(), verdict.truth.lower()
    if verdict.error_type == "wrong_laterality":
        return (target in _SIDES) != (truth in _SIDES)
    if verdict.error_type == "wrong_quantity":
        one = {"1", "one", "a", "single", "a single", "solitary"}
        return (target in one) != (truth in one) and re.match(r"\s+[a-z]", text[end:]) is not None
    return False


def _counted(text: str, start: int, end: int, verdict: Verdict, ids: tuple[str, ...]) -> Change | None:
    """Write another number with its noun and verb: "there are two masses" -> "there is one mass"; None if unsure."""
    number = _SPELLED.get(verdict.truth.strip(" .").lower(), verdict.truth.strip(" .").lower())
    noun = re.match(
        r"\s+(?P<noun>[a-z]+)(?=\s*[.,;]|\s+(?:in|on|of|visible|seen|present|at|within)\b|\s*$)", text[end:], re.I
    )
    before = re.search(
        r"(?:\bthere\s+(?P<be>is|are)|\bshows?|\bcontains?|\bdisplays?|\bhas)\s+(?:only\s+)?$", text[:start], re.I
    )
    if verdict.error_type != "wrong_quantity" or noun is None or before is None or number not in _SPELLED.values():
        return None
    one = number == "one"
    name = noun["noun"]
    if one == (not name.endswith("s")):
        return None
    form = (
        re.sub(r"(?<=s|x)es$|(?<!s)s$", "", name) if one else f"{name}es" if name.endswith(("s", "x")) else f"{name}s"
    )
    stop = end + noun.end()
    if before["be"] is None:
        return change(start, stop, f"{number} {form}", ids)
    at = before.start("be")
    gap = text[before.end("be") : start]
    return change(at, stop, f"{'is' if one else 'are'}{gap}{number} {form}", ids, wrong=(start, stop))


def _without_twin(truth: str) -> str:
    """Drop a synonym in brackets: "Transverse Plane (Axial)" -> "Transverse Plane"."""
    return re.sub(r"\s*\([^()]*\)?", "", truth).strip() or truth


def _with_gloss(text: str, end: int, verdict: Verdict) -> int:
    """Take in the bracketed short form of the replaced words: "anteroposterior (AP)", "computed tomography (CT)"."""
    found = _PARENTHESIS.match(text, end)
    if found is None or verdict.error_type not in {"wrong_modality", "wrong_view_plane", "wrong_diagnosis"}:
        return end
    last = text[:end].split()[-1]
    short = _ACRONYM.fullmatch(found["inside"].strip()) or _ACRONYM.fullmatch(last)
    return found.end() if short else end


def _cased(truth: str, target: str, *, opens: bool) -> str:
    """Lower the capitals of a short answer inside a sentence, but not those of acronyms."""
    words = truth.split(" ")
    lowered = [w if any(c.isupper() for c in w[1:]) or any(c.isdigit() for c in w) else w.lower() for w in words]
    if words[0].lower() in {"x-ray", "x-rays"}:
        lowered[0] = f"X{words[0][1:].lower()}"
    fitted = " ".join(lowered)
    if opens and target[:1].isupper():
        return fitted[0].upper() + fitted[1:]
    return fitted
