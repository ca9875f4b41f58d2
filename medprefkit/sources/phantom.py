"""The quickstart's own chest phantoms, as `lab.phantom.draw_phantoms` wrote them."""

from collections.abc import Iterator
from pathlib import Path

from medprefkit.sources.admit import Outcome
from medprefkit.sources.table import Columns, read_table

_COLUMNS = Columns(id="id", group="group", lesion_mask="lesion_mask", modality="modality", task="task")


def read_phantom(root: Path, *, path: str = "cases.jsonl") -> Iterator[Outcome]:
    """Read drawn phantoms, one outcome a case; `root` is the folder that they were drawn into.

    Raises:
        SourceError: If `root` holds no drawn phantoms.
    """
    return read_table(
        root, path=path, name="phantom", licence="Apache-2.0", columns=_COLUMNS, answer_model="phantom-script"
    )
