"""The page: pairs for a reader's eyes, one HTML file that loads nothing.

Texts are hostile: the template escapes every value, characters that turn the reading direction are written out, and the
page's own policy allows its one script by hash and nothing else.
"""

import base64
import functools
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from medprefkit import __version__
from medprefkit.errors import ImageError
from medprefkit.records import Dropped, ErrorType, Region
from medprefkit.view.curves import draw_curves
from medprefkit.view.pictures import Picture, data_uri, trios_of
from medprefkit.view.shown import Counts, Segment, ShownEdit, ShownPair, choose, edits_of, segments, visible

_HERE = Path(__file__).parent
_THUMBNAIL_PX = 448  # sharp on dense screens at the size that the page gives a picture
_DROP_EXAMPLES = 4

FAMILIES: dict[ErrorType, str] = {
    "false_finding": "existence",
    "false_negation": "existence",
    "missing_finding": "existence",
    "self_contradiction": "existence",
    "wrong_laterality": "place",
    "wrong_location": "place",
    "wrong_organ": "place",
    "wrong_severity": "degree",
    "wrong_quantity": "degree",
    "wrong_measurement": "degree",
    "wrong_descriptor": "degree",
    "wrong_diagnosis": "identity",
    "wrong_device": "identity",
    "wrong_modality": "identity",
    "wrong_view_plane": "identity",
    "wrong_certainty": "certainty",
    "wrong_temporal": "certainty",
    "unsupported_context": "beyond",
    "wrong_knowledge": "beyond",
    "recommendation": "beyond",
    "meta_text": "beyond",
}
"""Error type -> the family that shares its colour on the page."""


class _Box(NamedTuple):
    """A region in percent of its picture."""

    left: float
    top: float
    width: float
    height: float


class _Thumbnail(NamedTuple):
    uri: str
    width_px: int
    height_px: int
    box: _Box | None


class _Thumbnails(NamedTuple):
    """The pictures of one image of a pair; `n` of them."""

    n: int
    clean: _Thumbnail
    corrupted: _Thumbnail | None
    control: _Thumbnail | None


class _Card(NamedTuple):
    """A pair as the template reads it."""

    number: int
    id: str
    split: str
    meta: list[str]
    prompt: str
    reference: str
    error_types: list[ErrorType]
    has_lesion: bool
    corruption_note: str
    trios: list[_Thumbnails]
    problem: str
    rejected: list[Segment]
    chosen: list[Segment]
    edits: list[ShownEdit]


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
    data_root: Path,
    run_dir: Path,
    n_pairs: int = 60,
    dropped: Iterable[Dropped] = (),
    history: Sequence[Mapping[str, object]] = (),
    language: str = "en",
) -> Counts:
    """Write the page; pictures are read and written one pair at a time.

    Args:
        path: The file; its folder exists.
        pairs: All of them, to be counted; at most `n_pairs` are shown, so that every kind is seen.
        title: Heading of the page.
        data_root: What the pairs' images are relative to.
        run_dir: What their corrupted images are relative to.
        n_pairs: How many pairs the page shows.
        dropped: What did not become a pair, in the order of the stages; counted by reason, with a few examples.
        history: A training log (`step`, `loss/total`, `margin`, `logps/chosen` ...); no curves where it is empty.
        language: Code of the page's language.

    Returns:
        What was counted.
    """
    counts = Counts()
    shown = choose(counts.over(pairs), n_pairs)
    script = (_HERE / "page.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    chunks = _environment().get_template("page.html.jinja").generate(
        title=title,
        language=language,
        version=__version__,
        style=Markup((_HERE / "page.css").read_text("utf-8")),  # noqa: S704  # our own file
        script=Markup(script),  # noqa: S704  # our own file
        script_hash=f"sha256-{digest}",
        counts=counts,
        splits=sorted(((split, n) for split, n in counts.splits.items() if split), key=_train_first),
        error_types=sorted(counts.error_types.items(), key=_frequent_first),
        families=FAMILIES,
        drops=_by_reason(dropped),
        curves=Markup(draw_curves(history)),  # noqa: S704  # numbers and our own words
        n_cards=len(shown),
        shown_all=len(shown) == counts.n_pairs,
        cards=_cards(shown, data_root, run_dir),
    )  # fmt: skip
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(chunks)
    return counts


def _cards(pairs: Sequence[ShownPair], data_root: Path, run_dir: Path) -> Iterator[_Card]:
    for number, shown in enumerate(pairs, 1):
        pair = shown.pair
        trios: list[_Thumbnails] = []
        problem = ""
        try:
            trios = [
                _Thumbnails(
                    n=sum(picture is not None for picture in trio),
                    clean=_thumbnail(trio.clean),
                    corrupted=_thumbnail(trio.corrupted) if trio.corrupted is not None else None,
                    control=_thumbnail(trio.control) if trio.control is not None else None,
                )
                for trio in trios_of(pair, data_root=data_root, run_dir=run_dir)
            ]
        except ImageError as error:  # the texts can still be read
            problem = f"The pictures cannot be shown. {error}"
        origin = pair.provenance
        yield _Card(
            number=number,
            id=pair.id,
            split=shown.split,
            meta=[part for part in (origin.source, origin.modality, origin.model, shown.split) if part],
            prompt=pair.prompt,
            reference=shown.reference,
            error_types=list(dict.fromkeys(span.error_type for span in pair.rejected_spans)),
            has_lesion=pair.corrupted is not None,
            corruption_note=_corruption_note(shown),
            trios=trios,
            problem=problem,
            rejected=segments(pair.rejected, pair.rejected_spans),
            chosen=segments(pair.chosen, pair.chosen_spans),
            edits=edits_of(pair),
        )


def _corruption_note(shown: ShownPair) -> str:
    corrupted = shown.pair.corrupted
    return f"{_words(corrupted.name)}, {corrupted.changed_share:.1%} of the pixels" if corrupted is not None else ""


def _thumbnail(picture: Picture) -> _Thumbnail:
    height, width = picture.pixels.shape[:2]
    box = _box(picture.region, width, height) if picture.region is not None else None
    return _Thumbnail(data_uri(picture.pixels, _THUMBNAIL_PX), width, height, box)


def _box(region: Region, width: int, height: int) -> _Box:
    return _Box(
        left=round(100 * region.left_px / width, 2),
        top=round(100 * region.top_px / height, 2),
        width=round(100 * (region.right_px - region.left_px) / width, 2),
        height=round(100 * (region.bottom_px - region.top_px) / height, 2),
    )


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


def _words(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: object) -> object:
    """Make what steers a reader's eye visible in every text that the template prints; our own markup stays."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = _words
    return environment
