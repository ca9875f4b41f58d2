"""What an edit does to the words beside it: the article before, and the coordinator between two edits.

Knows the texts of changes, not claims.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from medprefkit.edit.change import Change
from medprefkit.edit.words import article

_ARTICLE_BEFORE = re.compile(r"\b(?P<article>an?)\s+$", re.I)
_NO = re.compile(r"no\b", re.I)
_BUT_NO = re.compile(r"(?P<comma>,?) but no\b", re.I)
_NEW_CLAUSE = re.compile(r"[.;:]|\b(?:is|are|was|were|shows?|has|have|appears?|which|while)\b", re.I)
_AND = re.compile(r"(?P<comma>,?)\s+and\s+(?P<clause>there\s+(?:is|are)\s+)?", re.I)


def fit_article(text: str, made: Change) -> Change:
    """Take in an article before the change that no longer fits its first word: "a [normal]" -> "an abnormal".

    Args:
        text: The answer.
        made: A change; one that deletes stays as it is.
    """
    before = _ARTICLE_BEFORE.search(text[: made.start])
    if before is None or not made.replacement or not made.replacement[0].isalnum():
        return made
    fitting = article(made.replacement)
    if fitting == before["article"].lower():
        return made
    if before["article"][0].isupper():
        fitting = fitting.capitalize()
    gap = text[before.end("article") : made.start]
    return replace(made, start=before.start(), replacement=f"{fitting}{gap}{made.replacement}")


def turn_coordinators(text: str, changes: Sequence[Change]) -> list[Change]:
    """Part what is denied from what is then affirmed: "no A and B" would deny both, "no A, but B" says what is meant.

    Args:
        text: The answer.
        changes: In order of position.
    """
    turned: list[Change] = []
    for made in changes:
        last = turned[-1] if turned else None
        if last is None or last.end > made.start:
            turned.append(made)
            continue
        joint = _AND.fullmatch(text[last.end : made.start])
        was_denied = _NO.match(text, made.start) is not None and made.start < made.end
        if (
            joint is not None
            and not joint["clause"]
            and _NO.match(last.replacement)
            and was_denied
            and made.replacement
        ):
            words = f", but {made.replacement}"
            turned.append(replace(made, start=last.end, replacement=words))
        elif _NO.match(last.replacement) and _BUT_NO.match(made.replacement) and _one_list(text[last.end : made.start]):
            turned.append(replace(made, replacement=_BUT_NO.sub(r"\g<comma> and no", made.replacement)))
        else:
            turned.append(made)
    return turned


def _one_list(between: str) -> bool:
    """Tell whether no clause begins between two edits."""
    return _NEW_CLAUSE.search(between) is None
