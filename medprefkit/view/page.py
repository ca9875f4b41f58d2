"""The page: pairs for a reader's eyes, one HTML file that loads nothing.

Texts are hostile: the templates escape every value, characters that turn the reading direction are written out, and
the page's own policy allows its one script by hash and nothing else. The cards of the first page stand in the document,
those of the others as JSON of which the script makes cards when they are turned to: five thousand pairs open at once.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup
from tqdm import tqdm

from medprefkit import __version__
from medprefkit.records import Dropped
from medprefkit.review import pair_digest
from medprefkit.view.cards import BATCH, FAMILIES, Batch, ReadPictures, as_json, batches_of, environment
from medprefkit.view.curves import draw_curves
from medprefkit.view.shown import Counts, ShownPair, choose, visible

_HERE = Path(__file__).parent
_DROP_EXAMPLES = 4
_DROPS_LISTED = 20_000  # a few megabytes of a page


class _Drops(NamedTuple):
    """What one stage left out for one reason, with the first few."""

    stage: str
    reason: str
    n_records: int
    examples: list[Dropped]


def write_page(
    path: Path,
    pairs: Iterable[ShownPair],
    *,
    title: str,
    read: ReadPictures,
    n_pairs: int = 60,
    folder: Path | None = None,
    dropped: Iterable[Dropped] = (),
    history: Sequence[Mapping[str, object]] = (),
    language: str = "en",
) -> Counts:
    """Write the page; pictures are read and written one pair at a time.

    Args:
        path: The file; its folder exists.
        pairs: All of them, to be counted; at most `n_pairs` are shown, so that every kind is seen.
        title: Heading of the page.
        read: Reads the pictures of a pair.
        n_pairs: How many pairs the page shows.
        folder: An existing folder beside the page for its pictures; None to hold them in the page.
        dropped: What did not become a pair, in the order of the stages; counted by reason, and listed.
        history: A training log (`step`, `loss/total`, `margin`, `logps/chosen` ...); no curves where it is empty.
        language: Code of the page's language.

    Returns:
        What was counted.
    """
    counts = Counts()
    shown = choose(counts.over(pairs), n_pairs)
    script = (_HERE / "page.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    left_out = list(dropped)
    watched = tqdm(shown, desc="view", unit="pair", disable=None, leave=False, dynamic_ncols=True)
    batches = batches_of(watched, read, folder=folder)
    chunks = environment().get_template("page.html.jinja").generate(
        title=title,
        language=language,
        version=__version__,
        style=Markup((_HERE / "page.css").read_text("utf-8")),  # noqa: S704  # our own file
        script=Markup(script),  # noqa: S704  # our own file
        script_hash=f"sha256-{digest}",
        img_src="data:" if folder is None else "data: 'self' file:",
        set_digest=_set_digest(shown),
        counts=counts,
        splits=sorted(((split, n) for split, n in counts.splits.items() if split), key=_train_first),
        error_types=sorted(counts.error_types.items(), key=_frequent_first),
        families=FAMILIES,
        drops=_by_reason(left_out),
        drops_json=as_json([_listed(drop) for drop in left_out[:_DROPS_LISTED]]),
        curves=Markup(draw_curves(history)),  # noqa: S704  # numbers and our own words
        n_cards=len(shown),
        page_size=BATCH,
        shown_all=len(shown) == counts.n_pairs,
        first=next(batches, Batch([], as_json([]))),
        batches=batches,
        folder=folder is not None,
    )  # fmt: skip
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(chunks)
    return counts


def _by_reason(dropped: Iterable[Dropped]) -> list[_Drops]:
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], list[Dropped]] = {}
    for drop in dropped:
        key = (drop.stage, drop.reason)
        counts[key] += 1
        if counts[key] <= _DROP_EXAMPLES:
            examples.setdefault(key, []).append(drop)
    return [_Drops(*key, counts[key], examples[key]) for key in counts]


def _frequent_first(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _train_first(item: tuple[str, int]) -> tuple[bool, str]:
    return item[0] != "train", item[0]


def _listed(drop: Dropped) -> dict[str, str]:
    return {name: visible(value) for name, value in drop.model_dump().items()}


def _set_digest(pairs: Sequence[ShownPair]) -> str:
    """Name the set that is shown, so that what a browser remembers of a review goes with it and no other."""
    digest = hashlib.sha256()
    for shown in pairs:
        digest.update(pair_digest(shown.pair).encode())
    return digest.hexdigest()[:16]
