"""The scan for identities: what it finds in texts, in files beside their pixels, and in the pixels; what it lets be."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageDraw, ImageFont, PngImagePlugin

from medprefkit.build.features import features
from medprefkit.burned_in import find_writing
from medprefkit.image_metadata import is_dicom, metadata_of
from medprefkit.publish.identity import Kind, scan_image, scan_parquet, scan_text


def film(
    *, text: str = "", at: tuple[int, int] = (20, 20), size: int = 18, ink: int = 255, ground: int = 0
) -> Image.Image:
    """Draw a smooth grey picture with noise, and a text."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:300, 0:400]
    grey = 90 + 60 * np.sin(x / 60) * np.cos(y / 50) + rng.normal(0, 6, (300, 400))
    grey[:60] = ground
    picture = Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))
    if text:
        ImageDraw.Draw(picture).text(at, text, fill=ink, font=ImageFont.load_default(size))
    return picture


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("text", "kind", "seen"),
    [
        ("Findings were told to Dr. Sarah Connor by phone.", "name", "Dr. Sarah Connor"),
        ("Mr Smith has a cough.", "name", "Mr Smith"),
        ("Discussed with Dr. SMITH.", "name", "Dr. SMITH"),
        ("Patient name: DOE, JANE", "name", "Patient name: DOE, JANE"),
        ("Read and agreed. J. Watson, MD", "name", "J. Watson, MD"),
        ("Dictated by: John A. Public", "name", "Dictated by: John A. Public"),
        ("Patient name: Jane Doe", "name", "Patient name: Jane Doe"),
        ("Compared with the film of 03/14/2019.", "date", "03/14/2019"),
        ("Seen on 2020-11-02 and later.", "date", "2020-11-02"),
        ("Since March 4th, 2018 stable.", "date", "March 4th, 2018"),
        ("On 5 January 2019 she fell.", "date", "5 January 2019"),
        ("MRN: 00123456", "record_number", "MRN: 00123456"),
        ("Accession number A-123456", "record_number", "Accession number A-123456"),
        ("His number is 078-05-1120.", "record_number", "078-05-1120"),
        ("Call (555) 123-4567.", "phone", "(555) 123-4567"),
        ("Call 555-123-4567.", "phone", "555-123-4567"),
        ("Write to jane.doe@clinic.example.org now.", "email", "jane.doe@clinic.example.org"),
        ("A 93-year-old woman.", "age_over_89", "93-year-old"),
    ],
)
def test_what_names_a_person(text: str, kind: Kind, seen: str) -> None:
    assert list(scan_text(text)) == [(kind, seen)]


@pytest.mark.parametrize(
    "text",
    [
        "The heart is normal in size. No pleural effusion.",
        "XXXX-year-old XXXX with XXXX. Compared to XXXX. Discussed with Dr. XXXX. XXXX XXXX, MD",
        "A 45-year-old man; the nodule measures 12 x 13 mm, T1/T2 and L4-L5 are normal.",
        "There are 3 of 5 lesions, 1.2-1.5 cm, seen on series 4, image 23.",
        "Post-contrast study of 2019 shows no change over 10/12 levels.",
        "May represent atelectasis. March fracture of the second metatarsal.",
        "Name the organ. Signed off.",
    ],
)
def test_clinical_text_is_let_be(text: str) -> None:
    assert list(scan_text(text)) == []


@given(st.text(max_size=200))
def test_any_text_is_scanned_and_what_is_seen_is_in_it(text: str) -> None:
    for _, seen in scan_text(text):
        assert seen in " ".join(text.split())


def test_files_that_tell_more_than_their_pixels() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("PatientName", "DOE^JANE")
    info.add_text("Software", "scanner 2019-01-02")
    assert list(scan_image(encoded(film(), pnginfo=info))) == [("metadata", "PatientName: DOE^JANE")]
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Dr. Jane Roe"
    exif[ExifTags.Base.DateTime] = "2019:03:14 10:11:12"
    exif[ExifTags.Base.Orientation] = 1
    kinds = [what for _, what in scan_image(encoded(film(), "JPEG", exif=exif))]
    assert kinds == ["Artist: Dr. Jane Roe", "DateTime: 2019:03:14 10:11:12"]
    assert list(scan_image(encoded(film(), "JPEG", comment=b"call 555-123-4567"))) == [
        ("metadata", "comment: call 555-123-4567")
    ]
    assert list(scan_image(encoded(film(), dpi=(72, 72)))) == []


def test_text_after_the_pixels_and_dicom() -> None:
    body = b"tEXtComment\0MRN 1234567"
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    whole = encoded(film())
    content = whole[:-12] + chunk + whole[-12:]  # before the last one, IEND
    assert metadata_of(content) == (("Comment", "MRN 1234567"),)
    dicom = b"\0" * 128 + b"DICM" + b"\0" * 10
    assert is_dicom(dicom)
    assert [kind for kind, _ in scan_image(dicom)] == ["dicom"]
    assert metadata_of(b"no picture") == ()
    assert list(scan_image(b"no picture")) == []


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("DOE JANE 1950", {}),
        ("14-03-2019", {"size": 12}),
        ("MRN 0012345", {"size": 40}),
        ("JANE DOE", {"ink": 0, "ground": 230}),
        ("ACC 778812", {"at": (60, 200)}),  # in the picture itself, not in its margin
    ],
)
def test_writing_in_the_pixels_is_found_where_it_is(text: str, options: dict[str, object]) -> None:
    picture = film(text=text, **options)  # type: ignore[arg-type]  # options of film
    boxes = find_writing(np.asarray(picture.convert("RGB")))
    assert boxes
    left, top = options.get("at", (20, 20))  # type: ignore[misc]  # a place
    assert any(box.left_px < left + 40 and abs(box.top_px - top) < 40 for box in boxes)
    assert [kind for kind, _ in scan_image(encoded(picture))] == ["burned_in_text"]
    assert list(scan_image(encoded(picture), pixels=False)) == []


def test_a_picture_without_writing_has_none() -> None:
    assert find_writing(np.asarray(film().convert("RGB"))) == ()
    assert find_writing(np.zeros((50, 50, 3), np.uint8)) == ()
    assert find_writing(np.asarray(film(text="R").convert("RGB"))) == ()  # a marker of the side is no row


def row(row_id: str, content: bytes, *, prompt: str = "Describe it.", name: str = "a.png") -> dict[str, object]:
    message = [{"role": "user", "content": prompt}]
    values: dict[str, object] = {key: [] for key in features()}
    texts = dict.fromkeys(("prompt", "chosen", "rejected"), message)
    images = [{"bytes": content, "path": name}]
    others = {"corruption": None, "weight": 1.0, "provenance": None}
    return values | {"id": row_id, "group_id": row_id, "images": images} | texts | others


def test_rows_are_named_and_a_picture_is_told_once(tmp_path: Path) -> None:
    marked = encoded(film(text="DOE JANE 1950"))
    rows = [row("a", marked), row("b", marked, prompt="Seen by Dr. House"), row("c", encoded(film()))]
    pq.write_table(pa.Table.from_pylist(rows, schema=features().arrow_schema), tmp_path / "train.parquet")
    hits = list(scan_parquet([tmp_path / "train.parquet"]))
    assert [(hit.row_id, hit.column, hit.kind) for hit in hits] == [
        ("a", "images", "burned_in_text"),
        ("b", "prompt", "name"),
        ("b", "chosen", "name"),
        ("b", "rejected", "name"),
    ]
