"""One of several structures that share a predicate is not normal: the subject is parted and each part gets its own.

"Heart size and mediastinal contour are normal" -> "heart size is enlarged and mediastinal contour is normal". Knows
subjects and predicates; what to say of the abnormal part is decided elsewhere.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from medprefkit.edit.change import Change, Refusal, change
from medprefkit.edit.words import capitalised_like, is_plural
from medprefkit.lexicon import lexicon

_VERB = re.compile(
    r"\s+(?P<verb>is|are|was|were|appears?|remains?|seems?|looks?)(?P<adverbs>(?:\s+(?:all|both|also|\w+ly|to\s+be))*)\s+$",
    re.I,
)
_LEAD = re.compile(
    r"\s*(?:(?:yes|no|overall|however|additionally|furthermore|moreover|also|otherwise|finally)\b,?\s*)?", re.I
)
_SEPARATOR = re.compile(r"\s*,\s*(?:and\s+)?|\s+(?:and|as\s+well\s+as)\s+", re.I)
_BARE = re.compile(r"(?:the\s+)?(?P<adjective>cardiac|mediastinal|hilar|pulmonary|pleural|osseous|bony)", re.I)
_OTHER_VERB = re.compile(r"\b(?:is|are|was|were|has|have|shows?|there|no|without|with|of|in)\b", re.I)
_ONE = {"are": "is", "were": "was", "appear": "appears", "remain": "remains", "seem": "seems", "look": "looks"}
_MANY = {one: many for many, one in _ONE.items()}
_SINGULAR = {"silhouettes": "silhouette", "contours": "contour", "structures": "structures", "sizes": "size"}


class Said(NamedTuple):
    """What is to be said of one structure: after a copula ("mildly enlarged"), or else with a verb ("shows X")."""

    words: str
    copular: bool


class Shared(NamedTuple):
    """A predicate of several structures.

    Attributes:
        start: First character of the subject.
        end: One past the predicate.
        pieces: The structures' names, in order.
        verb: The copula in lower case; empty in a telegram ("heart and mediastinum normal").
        predicate: The predicate with its adverbs.
    """

    start: int
    end: int
    pieces: tuple[str, ...]
    verb: str
    predicate: str


def shared_predicate(text: str, sentence_start: int, start: int, end: int, organs: Sequence[str]) -> Shared | None:
    """Return the subject and predicate at [start, end), or None where the subject is not a plain list of names.

    Args:
        text: The answer.
        sentence_start: First character of the sentence.
        start: First character of the predicate's words ("normal").
        end: One past them.
        organs: Lexicon ids of structures that it is said of.
    """
    left = text[sentence_start:start]
    found = _VERB.search(left)
    verb, adverbs = (found["verb"].lower(), found["adverbs"].strip()) if found is not None else ("", "")
    subject = left[: found.start()] if found is not None else left.rstrip()
    lead = found.end() if (found := _LEAD.match(subject)) is not None else 0
    if not subject[lead:].strip() or _OTHER_VERB.search(subject) is not None or re.search(r"[.;:()]", subject):
        return None
    pieces = [part for piece in _SEPARATOR.split(subject[lead:].strip()) for part in _apart(piece, organs)]
    pieces = _with_shared_noun(pieces)
    predicate = " ".join(filter(None, [adverbs, text[start:end]]))
    return Shared(sentence_start + lead, end, tuple(pieces), verb, predicate) if len(pieces) > 1 else None


def part(shared: Shared, said: Mapping[str, Said], ids: tuple[str, ...]) -> Change | Refusal:
    """Say of each structure in `said` what is to be said, and leave the predicate to the others.

    Args:
        shared: The subject and its predicate.
        said: Lexicon id of a structure -> what is true of it.
        ids: The claims that are wrong.
    """
    owners = {organ: _piece_of(shared.pieces, organ) for organ in said}
    if any(owner is None for owner in owners.values()) or len(set(owners.values())) != len(owners):
        return Refusal(ids, f"which part of {' and '.join(shared.pieces)!r} is wrong is not certain")
    by_piece = {owner: said[organ] for organ, owner in owners.items()}
    rest = [k for k in range(len(shared.pieces)) if k not in by_piece]
    clauses = {k: _clause(shared, [shared.pieces[k]], one) for k, one in by_piece.items() if k is not None}
    if rest:  # two that stay normal go first: "A and B are normal, and C is enlarged"
        clauses[rest[0] if len(rest) == 1 else -1] = _clause(shared, [shared.pieces[k] for k in rest], None)
    definite = shared.pieces[0].lower().startswith("the ")
    ordered = [clauses[k] for k in sorted(clauses)]
    ordered = [f"the {clause}" if definite and not clause.lower().startswith("the ") else clause for clause in ordered]
    ordered[1:] = [capitalised_like(clause, "x") for clause in ordered[1:]]
    words = (", and " if len(rest) > 1 else " and ").join(ordered)
    return change(shared.start, shared.end, words, ids)


def _apart(piece: str, organs: Sequence[str]) -> list[str]:
    """Part names that nothing separates: "heart size mediastinal contour"; "pulmonary vascularity" is one."""
    names = [re.search(rf"\b(?:the\s+)?(?:{'|'.join(map(re.escape, _names(o)))})\b", piece, re.I) for o in organs]
    starts = sorted({found.start() for found in names if found is not None})
    cuts = [0, *starts[1:], len(piece)]  # what stands before the first name belongs to it
    return [part for a, b in pairwise(cuts) if (part := piece[a:b].strip())]


def _with_shared_noun(pieces: Sequence[str]) -> list[str]:
    """Give each bare adjective the noun of the last name: "cardiac and mediastinal silhouettes"."""
    noun = pieces[-1].split()[-1].lower() if pieces else ""
    if noun not in _SINGULAR or not any(_BARE.fullmatch(piece) for piece in pieces[:-1]):
        return list(pieces)
    one = _SINGULAR[noun]
    last = pieces[-1][: -len(noun)] + one
    return [f"{piece} {one}" if _BARE.fullmatch(piece) else piece for piece in pieces[:-1]] + [last]


def _piece_of(pieces: Sequence[str], organ: str) -> int | None:
    names = "|".join(map(re.escape, _names(organ)))
    found = [k for k, piece in enumerate(pieces) if re.search(rf"\b(?:{names})\b", piece, re.I)]
    return found[0] if len(found) == 1 else None


def _names(organ: str) -> list[str]:
    row = lexicon().concepts.get(organ)
    names = (row.name, *row.synonyms) if row is not None else (organ,)
    return sorted(names, key=len, reverse=True)


def _clause(shared: Shared, pieces: Sequence[str], said: Said | None) -> str:
    subject = ", ".join(pieces[:-1]) + " and " + pieces[-1] if len(pieces) > 1 else pieces[0]
    plural = len(pieces) > 1 or is_plural(pieces[0])
    verb = _MANY.get(shared.verb, shared.verb) if plural else _ONE.get(shared.verb, shared.verb)
    if said is None:
        words = shared.predicate
    elif said.copular:
        words = said.words
    elif shared.verb:
        return f"{subject} {'show' if plural else 'shows'} {said.words}"
    else:
        return f"{subject} with {said.words}"
    if not plural:
        words = re.sub(r"^(?:all|both)\s+", "", words)
    return " ".join(filter(None, [subject, verb, words]))
