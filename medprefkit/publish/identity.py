"""Identity: what in a dataset may tell who a patient is. Finds candidates for a person to look at; proves nothing.

Texts: names after a title or a label, dates of days, record and accession numbers, telephone numbers, e-mail addresses,
ages over 89. Image files: fields that name people, places or days, and DICOM. Pixels: rows that look like writing. A
name without a title or label, a rare disease or a face is not found: a scan without hits is no proof of anonymity.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow.parquet as pq

from medprefkit.burned_in import find_writing
from medprefkit.errors import ImageError
from medprefkit.image_metadata import is_dicom, metadata_of
from medprefkit.images import decode_image

Kind = Literal["name", "date", "record_number", "phone", "email", "age_over_89", "metadata", "dicom", "burned_in_text"]

IMAGE_COLUMNS = ("images", "corrupted_images", "control_images")
_BATCH_ROWS = 8
_SHOWN_CHARS = 60

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_WORD = r"(?!X{2,}\b)[A-Z][A-Za-z]+(?:[-'][A-Z][A-Za-z]+)?"  # XXXX stands for a name that was taken out
_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("name", re.compile(rf"\b(?:Dr|Mr|Mrs|Ms|Prof)\.?\s+(?:[A-Z]\.\s*)*{_WORD}(?:\s+{_WORD})?")),
    (
        "name",
        re.compile(
            r"\b(?:[Pp]atient(?:'s)? [Nn]ame|[Nn]ame|[Rr]eferred by|[Dd]ictated by|[Ss]igned by|[Rr]ead by"
            rf"|[Aa]ttending|[Rr]eferring [Pp]hysician)\s*:?\s+(?:[A-Z]\.\s*)*{_WORD}(?:,?\s+(?:[A-Z]\.\s*)?{_WORD})+"
        ),
    ),
    ("name", re.compile(rf"\b(?:{_WORD}|[A-Z]\.)\s+(?:[A-Z]\.\s*)*{_WORD},?\s+M\.?D\b")),
    ("date", re.compile(r"\b(?:0?[1-9]|[12]\d|3[01])([/.-])(?:0?[1-9]|[12]\d|3[01])\1(?:19|20)?\d\d\b")),
    ("date", re.compile(r"\b(?:19|20)\d\d([/-])(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])\b")),
    ("date", re.compile(rf"(?i)\b{_MONTH}\.?\s+(?:[12]?\d|3[01])(?:st|nd|rd|th)?,?\s+(?:19|20)\d\d\b")),
    ("date", re.compile(rf"(?i)\b(?:[12]?\d|3[01])(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}\.?,?\s+(?:19|20)\d\d\b")),
    (
        "record_number",
        re.compile(
            r"(?i)\b(?:mrn|medical record(?: number| no\.?)?|accession(?: number| no\.?)?|patient id"
            r"|hosp(?:ital)? no\.?)\s*[:#]?\s*[A-Z]{0,3}-?\d[\d-]{3,}"
        ),
    ),
    ("record_number", re.compile(r"\b\d{3}-\d{2}-\d{4}\b")),
    ("phone", re.compile(r"(?<![\w.])(?:\+?\d{1,3}[ .-])?(?:\(\d{3}\)\s?|\d{3}[.-])\d{3}[.-]\d{4}\b")),
    ("email", re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")),
    ("age_over_89", re.compile(r"(?i)\b(?:9\d|1[01]\d)[- ](?:years?|yrs?|y)[- /]?(?:old|o)\b")),
)  # fmt: skip

_TELLING_FIELD = re.compile(
    r"(?i)patient|birth|accession|institution|hospital|physician|operator|study|series.?date|artist|author|owner|creator"
    r"|gps|datetime|creation.?time|serial|hostcomputer|usercomment|imagedescription|xpcomment|xptitle|mrn|0010,?00"
)
_INNOCENT_FIELD = re.compile(
    r"(?i)^(software|exifversion|flashpixversion|colorspace|componentsconfiguration|resolution)"
)


class Hit(NamedTuple):
    """Something that a person should look at: where, of which kind, and what was seen."""

    row_id: str
    column: str
    kind: Kind
    seen: str


def scan_text(text: str) -> Iterator[tuple[Kind, str]]:
    """Yield (kind, what was seen) for everything in a text that may identify somebody, each span once."""
    taken: list[tuple[int, int]] = []
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if not any(start < match.end() and match.start() < end for start, end in taken):
                taken.append(match.span())
                yield kind, " ".join(match.group().split())[:_SHOWN_CHARS]


def scan_image(content: bytes, *, pixels: bool = True) -> Iterator[tuple[Kind, str]]:
    """Yield what may identify somebody in an image file.

    Args:
        content: The file.
        pixels: Also look for writing in the picture. One that cannot be decoded has none: `audit` reports it.
    """
    if is_dicom(content):
        yield "dicom", "a DICOM file, with its header"
        return
    for name, text in metadata_of(content):
        said = next(scan_text(text), None)
        if not _INNOCENT_FIELD.search(name) and (_TELLING_FIELD.search(name) or said):
            yield "metadata", f"{name}: {text}"[:_SHOWN_CHARS]
    if pixels:
        try:
            rows = find_writing(decode_image(content))
        except ImageError:
            return
        if rows:
            box = max(rows, key=_n_glyphs)
            more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
            yield "burned_in_text", f"{box.n_glyphs} glyphs at x {box.left_px}, y {box.top_px}{more}"


def scan_parquet(files: Iterable[Path], *, pixels: bool = True) -> Iterator[Hit]:
    """Yield the hits of every row of Parquet files of the column contract, a few rows in memory at a time.

    Corrupted and control images show the clean image's writing, so only the clean ones are looked at for it. An image
    that comes again is not looked at again, and its hits are told for the first row.

    Args:
        files: In the order in which they are read.
        pixels: As `scan_image`.
    """
    seen: set[bytes] = set()
    for file in files:
        with pq.ParquetFile(file, pre_buffer=False) as table:
            for batch in table.iter_batches(batch_size=_BATCH_ROWS):
                for row in batch.to_pylist():
                    yield from _scan_row(row, seen, pixels=pixels)


def scan_texts(row_id: str, texts: Mapping[str, str]) -> Iterator[Hit]:
    """Yield the hits of named texts of one row."""
    for column, text in texts.items():
        for kind, what in scan_text(text):
            yield Hit(row_id, column, kind, what)


def _scan_row(row: Mapping[str, Any], seen: set[bytes], *, pixels: bool) -> Iterator[Hit]:
    texts = {name: str(row[name]) for name in ("id", "group_id")}
    for name in ("prompt", "chosen", "rejected"):
        texts[name] = "\n".join(message["content"] for message in row[name])
    texts["verdicts"] = "\n".join(f"{verdict['evidence']}\n{verdict['truth']}" for verdict in row["verdicts"])
    yield from scan_texts(row["id"], texts)
    for column in IMAGE_COLUMNS:
        for image in row.get(column) or []:
            yield from scan_texts(row["id"], {f"{column} file name": image["path"] or ""})
            content = image["bytes"] or b""
            digest = hashlib.sha256(content).digest()
            if content and digest not in seen:
                seen.add(digest)
                for kind, what in scan_image(content, pixels=pixels and column == "images"):
                    yield Hit(row["id"], column, kind, what)


def _n_glyphs(box: Any) -> int:
    return int(box.n_glyphs)
