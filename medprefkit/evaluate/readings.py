"""What is measured: a text with all that the tool said of it on the way to its edits, and a labelled answer.

Data only; whoever runs the tool fills it in.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from medprefkit.errors import SourceError
from medprefkit.evaluate.detection import GoldRow, read_gold
from medprefkit.records import Claim, Edit, Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """What the tool said of one text.

    Attributes:
        text: The text.
        claims: What it says.
        verdicts: On the claims, in their order.
        proposed: The editor's edits, before the edited text is read again; empty where it refuses.
        proposed_text: What they make of the text.
        left_in_proposed: Contradictions in `proposed_text` when it is read again; empty where nothing is proposed.
        kept: The edits that hold when the text is read again: what a dataset would carry; empty where it abstains.
        kept_text: What they make of the text.
        left_in_kept: As `left_in_proposed`.
        abstained: Why nothing is kept, `reason: detail`; empty where there are edits.
    """

    text: str
    claims: tuple[Claim, ...]
    verdicts: tuple[Verdict, ...]
    proposed: tuple[Edit, ...]
    proposed_text: str
    left_in_proposed: tuple[Verdict, ...]
    kept: tuple[Edit, ...]
    kept_text: str
    left_in_kept: tuple[Verdict, ...]
    abstained: str

    @property
    def contradicted(self) -> tuple[Verdict, ...]:
        """The verdicts that call something wrong."""
        return tuple(verdict for verdict in self.verdicts if verdict.target is not None)

    @property
    def outcome(self) -> str:
        """`edited`, or the reason of the abstention without its detail."""
        return "edited" if self.kept else self.abstained.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A labelled answer with what it answers and what it is judged against.

    `image` is the file's name below some folder, empty where the label names none; `credentialed` answers and their
    images never leave this machine.
    """

    row: GoldRow
    prompt: str
    reference: str
    image: str = ""
    credentialed: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A labelled answer and its labelled correction, which holds no error, as the tool judges them."""

    labelled: Labelled
    answer: Judged
    corrected: Judged


def read_labelled(values: Mapping[str, object]) -> Labelled:
    """Read one line of a labelled file, as `read_gold`, with its `prompt` and `reference`.

    `image`, a name, and `credentialed`, true or false, may be there.

    Raises:
        SourceError: If a key is missing, or an error's text is not what stands at its characters.
    """
    row = read_gold(values)
    for key in ("prompt", "reference"):
        if not isinstance(values.get(key), str):
            raise SourceError(f"gold row {row.id!r} has no text under {key!r}; it is what the answer is judged by")
    return Labelled(
        row,
        str(values["prompt"]),
        str(values["reference"]),
        image=str(values.get("image") or ""),
        credentialed=values.get("credentialed") is True,
    )
