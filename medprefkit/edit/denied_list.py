"""What a coordination of findings reads when it is denied: "no A, B, or C", "a normal-sized heart and no B".

Knows phrases and what stands between them, not the sentence around them.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from medprefkit.edit.noun_phrase import NounPhrase
from medprefkit.edit.words import is_empty_under_no

SEPARATOR = re.compile(
    r"(?P<place>\s+(?:in|within|throughout|at|of|on)\s+(?:[\w-]+\s+){0,4}?[\w-]+)?"
    r"(?P<sep>\s*,\s*(?:(?:and|or|as\s+well\s+as|along\s+with|with)\s+)?|"
    r"\s+(?:and/?or|and|or|with|along\s+with|alongside|as\s+well\s+as|together\s+with|accompanied\s+by)\s+)",
    re.I,
)
_SIZED = re.compile(
    r"(?P<det>(?:an?|the)\s+)?(?:[\w-]+\s+)*?(?P<adj>enlarged|oversized|large|big|dilated|widened|abnormal|hypertrophied|"
    r"prominent)\s+(?P<noun>(?:heart|cardiac|cardiomediastinal|mediastinum|mediastinal|aorta|aortic|hilum|liver|spleen|"
    r"kidney|ventricles?)(?:\s+(?:silhouette|shadow|size|contours?|region|knob|arch))?)",
    re.I,
)
_LOW_VOLUMES = re.compile(r"(?:\w+ly\s+)?(?:low|reduced|decreased|diminished)\s+(?P<noun>lung volumes?)", re.I)
_OF_SIZE = frozenset({"enlarged", "oversized", "large", "big", "hypertrophied"})
OF_NOUN = re.compile(
    r"(?:[\w-]+\s+)?(?:evidence|signs?|indications?|areas?|foci|regions?|patches)\s+of\s+(?:an?\s+)?", re.I
)


def denied_list(text: str, group: Sequence[NounPhrase]) -> str:
    """Return "no A, B, or C"; "an enlarged heart" becomes a normal one and has no place under "no"."""
    sized = [_normal_sized(text[p.start : p.end]) for p in group]
    if all(words is None for words in sized):
        return f"no {join_denied(text, group)}"
    runs: list[str] = []
    plain: list[NounPhrase] = []
    for phrase, words in zip(group, sized, strict=True):
        if words is None:
            plain.append(phrase)
            continue
        if plain:
            runs.append(f"no {join_denied(text, plain)}")
            plain = []
        runs.append(words)
    if plain:
        runs.append(f"no {join_denied(text, plain)}")
    if len(runs) == 1:
        return runs[0]
    return " and ".join(runs) if len(runs) == 2 else f"{', '.join(runs[:-1])}, and {runs[-1]}"


def join_denied(text: str, group: Sequence[NounPhrase]) -> str:
    group = _told_apart(text, group)
    pieces = [group[0].denied]
    for k, (last, phrase) in enumerate(pairwise(group), start=1):
        if phrase.start < last.end:
            continue  # two concepts in one phrase
        found = SEPARATOR.fullmatch(text[last.end : phrase.start])
        place, separator = (found["place"] or "", found["sep"]) if found else ("", " or ")
        comma = "," in separator
        if k < len(group) - 1:
            joint = ", " if comma or len(group) > 2 else " or "
        else:
            joint = ", or " if comma and len(group) > 2 else " or "
        pieces += [place, joint, phrase.denied]
    return "".join(pieces)


def _told_apart(text: str, group: Sequence[NounPhrase]) -> list[NounPhrase]:
    """Keep the sides of things that would be named twice: "no right-sided effusion, left-sided effusion"."""
    names = [p.denied.lower() for p in group]
    told: list[NounPhrase] = []
    for phrase, name in zip(group, names, strict=True):
        side = next((a.span.text.lower() for a in phrase.claim.attributes if a.kind == "laterality"), "")
        before = side and f"{side} " in text[phrase.start : phrase.claim.span.start_char].lower()
        lead = OF_NOUN.match(phrase.denied)
        at = lead.end() if lead is not None else 0
        twice = names.count(name) > 1 and before
        told.append(replace(phrase, denied=f"{phrase.denied[:at]}{side} {phrase.denied[at:]}") if twice else phrase)
    return told


def _normal_sized(phrase: str) -> str | None:
    """Return "a normal-sized heart" for "an enlarged heart", or None where the phrase is no such thing."""
    if (volumes := _LOW_VOLUMES.fullmatch(phrase)) is not None:
        return f"normal {volumes['noun']}"
    found = _SIZED.fullmatch(phrase)
    if found is None or any(not is_empty_under_no(w) for w in _between(found)):
        return None
    noun = found["noun"]
    if noun.endswith("size"):
        return f"{'a ' if found['det'] else ''}normal {noun}"
    adjective = "normal-sized" if found["adj"].lower() in _OF_SIZE else "normal"
    return f"{'a ' if found['det'] else ''}{adjective} {noun}"


def _between(found: re.Match[str]) -> list[str]:
    lead = found.string[len(found["det"] or "") : found.start("adj")]
    return lead.split()
