"""What one rewriting step of the editor returns: a change of some characters, or why it will not be made."""

from dataclasses import dataclass

from medprefkit.records import ErrorType


@dataclass(frozen=True, slots=True)
class Change:
    """Replace `answer[start:end]`.

    Attributes:
        start: First character that changes.
        end: One past the last.
        replacement: What will stand there; empty to delete.
        claim_start: First wrong character; lies in the range.
        claim_end: One past the last.
        claim_ids: The claims that it puts right.
        error_type: What was wrong here, where that is not the error of the whole claim.
    """

    start: int
    end: int
    replacement: str
    claim_start: int
    claim_end: int
    claim_ids: tuple[str, ...]
    error_type: ErrorType | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The claims that cannot be put right with certain grammar, and the reason in a few words."""

    claim_ids: tuple[str, ...]
    reason: str


def change(
    start: int, end: int, replacement: str, claim_ids: tuple[str, ...], *, wrong: tuple[int, int] | None = None
) -> Change:
    """Return a change whose wrong characters are all of it, or the given part."""
    claim_start, claim_end = wrong if wrong is not None else (start, end)
    return Change(start, end, replacement, claim_start, claim_end, claim_ids)
