"""Cards: each pair as the page shows it, its HTML and the facts that the page's script filters and searches by.

The template escapes every value, and characters that turn the reading direction are written out.
"""

import functools
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from medprefkit.errors import ImageError
from medprefkit.records import ErrorType, PreferencePair, Region
from medprefkit.review import pair_digest
from medprefkit.view.pictures import Picture, Trio, changed_png, data_uri, jpeg
from medprefkit.view.shown import Segment, ShownEdit, ShownPair, edits_of, segments, visible

_HERE = Path(__file__).parent
_THUMBNAIL_PX = 448  # sharp on dense screens at the size that the page gives a picture

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
    changed: str
    """Address of the changed pixels' overlay; empty where there is no corrupted image."""
    corrupted: _Thumbnail | None
    control: _Thumbnail | None


class Card(NamedTuple):
    """A pair as the template reads it."""

    number: int
    id: str
    meta: list[str]
    prompt: str
    reference: str
    error_types: list[ErrorType]
    corruption_note: str
    trios: list[_Thumbnails]
    problem: str
    rejected: list[Segment]
    chosen: list[Segment]
    edits: list[ShownEdit]


class Batch(NamedTuple):
    """The cards that the page holds on one of its own pages, and their facts as JSON."""

    cards: list[Markup]
    facts: Markup


BATCH = 24
"""Cards on one page of the page; its script knows the number too."""

ReadPictures = Callable[[ShownPair], list[Trio]]


def batches_of(pairs: Iterable[ShownPair], read: ReadPictures, *, folder: Path | None) -> Iterator[Batch]:
    """Yield the cards of all pairs, at most `BATCH` of them in memory.

    Args:
        pairs: In order.
        read: Reads the pictures of a pair; an `ImageError` becomes a line on its card.
        folder: Where the pictures are written, beside the page; None to hold them in the page.
    """
    template = environment().get_template("card.html.jinja")
    numbered = enumerate(pairs, 1)
    while batch := list(islice(numbered, BATCH)):
        cards = [
            Markup(template.render(card=_card(number, shown, read, folder), families=FAMILIES))  # noqa: S704  # escaped
            for number, shown in batch
        ]
        yield Batch(cards, as_json([_facts(number, shown) for number, shown in batch]))


def as_json(value: Any) -> Markup:
    """Return JSON that stands in a `script` element: no `<`, `>` or `&` in it, and ASCII only."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704


def _facts(number: int, shown: ShownPair) -> dict[str, object]:
    pair = shown.pair
    evidence = dict.fromkeys(verdict.evidence for verdict in pair.verdicts if verdict.label == "contradicted")
    return {
        "n": number,
        "id": pair.id,
        "digest": pair_digest(pair),
        "types": _types(pair),
        "source": visible(pair.provenance.source),
        "checkers": sorted({visible(verdict.checker) for verdict in pair.verdicts}),
        "split": visible(shown.split),
        "lesion": pair.corrupted is not None,
        "chosen": pair.chosen,
        "text": "\n".join((pair.id, pair.prompt, pair.rejected, shown.reference, *evidence)),
    }


def _types(pair: PreferencePair) -> list[ErrorType]:
    return list(dict.fromkeys(span.error_type for span in pair.rejected_spans))


def _card(number: int, shown: ShownPair, read: ReadPictures, folder: Path | None) -> Card:
    pair = shown.pair
    trios: list[_Thumbnails] = []
    problem = ""
    try:
        trios = [
            _thumbnails(trio, _Album(folder, f"{number:06d}-{index}")) for index, trio in enumerate(read(shown), 1)
        ]
    except ImageError as error:  # the texts can still be read
        problem = f"The pictures cannot be shown. {error}"
    origin = pair.provenance
    return Card(
        number=number,
        id=pair.id,
        meta=[part for part in (origin.source, origin.modality, origin.model, shown.split) if part],
        prompt=pair.prompt,
        reference=shown.reference,
        error_types=_types(pair),
        corruption_note=_corruption_note(shown),
        trios=trios,
        problem=problem,
        rejected=segments(pair.rejected, pair.rejected_spans),
        chosen=segments(pair.chosen, pair.chosen_spans),
        edits=edits_of(pair),
    )


class _Album(NamedTuple):
    """Where the pictures of one image go; `name` tells them from those of others."""

    folder: Path | None
    name: str

    def address(self, role: str, content: bytes, kind: str) -> str:
        """Store a picture and return its address for the page."""
        if self.folder is None:
            return data_uri(content, kind)
        path = self.folder / f"{self.name}-{role}.{kind}"
        path.write_bytes(content)
        return f"{self.folder.name}/{path.name}"


def _thumbnails(trio: Trio, album: _Album) -> _Thumbnails:
    changed = changed_png(trio.clean, trio.corrupted, _THUMBNAIL_PX) if trio.corrupted is not None else None
    return _Thumbnails(
        n=sum(picture is not None for picture in trio),
        clean=_thumbnail(trio.clean, "clean", album),
        changed=album.address("changed", changed, "png") if changed is not None else "",
        corrupted=_thumbnail(trio.corrupted, "corrupted", album) if trio.corrupted is not None else None,
        control=_thumbnail(trio.control, "control", album) if trio.control is not None else None,
    )


def _thumbnail(picture: Picture, role: str, album: _Album) -> _Thumbnail:
    height, width = picture.pixels.shape[:2]
    box = _box(picture.region, width, height) if picture.region is not None else None
    uri = album.address(role, jpeg(picture.pixels, _THUMBNAIL_PX), "jpg")
    return _Thumbnail(uri, width, height, box)


def _corruption_note(shown: ShownPair) -> str:
    corrupted = shown.pair.corrupted
    return f"{_words(corrupted.name)}, {corrupted.changed_share:.1%} of the pixels" if corrupted is not None else ""


def _box(region: Region, width: int, height: int) -> _Box:
    return _Box(
        left=round(100 * region.left_px / width, 2),
        top=round(100 * region.top_px / height, 2),
        width=round(100 * (region.right_px - region.left_px) / width, 2),
        height=round(100 * (region.bottom_px - region.top_px) / height, 2),
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: object) -> object:
    """Make what steers a reader's eye visible in every text that the template prints; our own markup stays."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@functools.cache
def environment() -> Environment:
    """Return the templates of the page; they escape what they print."""
    made = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["words"] = _words
    made.filters["json"] = as_json
    return made
