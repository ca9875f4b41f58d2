"""A preference pair of whatever format: what all of them can say, and nothing of how they say it."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

FormatName = Literal["medprefkit", "trl", "llamafactory", "ms-swift", "rrpo", "llava", "mmedpo", "rlhfv", "jsonl"]

Role = Literal["system", "user", "assistant"]


class Turn(NamedTuple):
    """One message; `<image>` tokens are taken out of it, the pictures stand beside the messages."""

    role: Role
    text: str


class Picture(NamedTuple):
    """An image file: its name, and its bytes where they were found."""

    name: str
    content: bytes | None


class Mark(NamedTuple):
    """A marked phrase: half-open, in code points of the answer; phrase k of one answer replaces phrase k of the other.

    The last four are None where a format has no room for them.
    """

    start_char: int
    end_char: int
    phrase_id: int
    error_type: str | None = None
    severity: str | None = None
    weight: float | None = None
    lesion_linked: bool | None = None


@dataclass(frozen=True, slots=True)
class FormatPair:
    """A pair.

    Attributes:
        where: Its file and row, for messages.
        id: Unique in most sets, repeated in some.
        split: Of the set; "train" where it has none.
        group_id: Patient or study; empty where the format does not say.
        prompt: Every message before the answers.
        weight: Of the row; None where the format has none.
        chosen_marks: Empty where nothing is marked; `rejected_marks` likewise.
        corrupted: Images with the lesion removed, or whatever the format calls a rejected image.
    """

    where: str
    id: str
    split: str
    prompt: tuple[Turn, ...]
    chosen: str
    rejected: str
    group_id: str = ""
    images: tuple[Picture, ...] = ()
    corrupted: tuple[Picture, ...] = ()
    control: tuple[Picture, ...] = ()
    weight: float | None = None
    chosen_marks: tuple[Mark, ...] = ()
    rejected_marks: tuple[Mark, ...] = ()
    error_types: tuple[str, ...] = field(default=())

    @property
    def question(self) -> str:
        """The prompt's messages as one text."""
        return "\n".join(turn.text for turn in self.prompt)


class Unreadable(NamedTuple):
    """A row that is not of the format, and why."""

    where: str
    problem: str
