"""Files of every kind become one kind of array, or one clear refusal; each test builds its own files."""

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from medprefkit.errors import ImageError
from medprefkit.images import (
    ViewChoice,
    encode_png,
    image_of,
    is_grey,
    lesion_mask_of,
    read_image,
    read_lesion_mask,
    resolve,
    verify_image,
)
from medprefkit.imaging import pictures
from medprefkit.records import View

RAMP = np.arange(0, 240, 5, np.uint8).reshape(6, 8)  # 6 rows, 8 columns: turning it shows
COLOUR = np.stack([RAMP, RAMP[::-1], 255 - RAMP], axis=-1)


def saved(path: Path, picture: Pillow.Image, **options: object) -> Path:
    picture.save(path, **options)
    return path


def refusal(path: Path) -> ImageError:
    """Both readers refuse a file alike, in one line that names it."""
    with pytest.raises(ImageError) as verified:
        verify_image(path)
    with pytest.raises(ImageError) as read:
        read_image(path)
    assert (read.value.reason, str(read.value)) == (verified.value.reason, str(verified.value))
    assert path.name in str(read.value)
    assert "\n" not in str(read.value)
    return read.value


# --- paths


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../secret.png", "a/../../secret.png", "https://example.org/a.png", "file:///etc/passwd",
     "a.png\0.jpg", "C:\\a.png", "..\\secret.png", "\\\\server\\a.png"],
)  # fmt: skip
def test_a_path_that_leaves_the_root_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ImageError) as error:
        resolve(tmp_path, path)
    assert error.value.reason == "image_outside_root"
    assert str(tmp_path) not in str(error.value)


def test_a_link_that_leaves_the_root_is_refused_and_one_inside_is_followed(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    saved(tmp_path / "secret.png", Pillow.fromarray(COLOUR))
    saved(root / "real.png", Pillow.fromarray(COLOUR))
    (root / "out.png").symlink_to(tmp_path / "secret.png")
    (root / "up").symlink_to(tmp_path)
    (root / "in.png").symlink_to(root / "real.png")
    (root / "loop.png").symlink_to(root / "loop.png")
    for name in ("out.png", "up/secret.png"):
        with pytest.raises(ImageError) as error:
            resolve(root, name)
        assert error.value.reason == "image_outside_root"
    assert np.array_equal(read_image(resolve(root, "in.png")), COLOUR)
    with pytest.raises(ImageError) as error:
        resolve(root, "loop.png")
    assert error.value.reason == "image_missing"


@pytest.mark.parametrize("path", ["nowhere.png", "", ".", "folder", "x" * 5000, "\udc80.png"])
def test_what_is_no_file_is_missing(tmp_path: Path, path: str) -> None:
    (tmp_path / "folder").mkdir()
    for kind in ("image", "mask"):
        with pytest.raises(ImageError) as error:
            resolve(tmp_path, path, kind=kind)
        assert error.value.reason == f"{kind}_missing"


def test_names_with_dots_colons_and_accents_are_names(tmp_path: Path) -> None:
    for name in ("a..b.png", "é 1.png", "sub.dir/.hidden.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        saved(tmp_path / name, Pillow.fromarray(COLOUR))
        assert resolve(tmp_path, name).is_file()


# --- formats and modes


@pytest.mark.parametrize(
    ("name", "options", "lossless"),
    [("a.png", {}, True), ("a.bmp", {}, True), ("a.tif", {"compression": "tiff_lzw"}, True), ("b.tif", {}, True),
     ("a.webp", {"lossless": True}, False), ("a.jpg", {"quality": 95}, False),
     ("c.tif", {"compression": "jpeg"}, False)],
)  # fmt: skip
def test_every_format_is_read_and_described(
    tmp_path: Path, name: str, options: dict[str, object], lossless: bool
) -> None:
    path = saved(tmp_path / name, Pillow.fromarray(COLOUR), **options)
    info = verify_image(path)
    assert (info.width_px, info.height_px, info.lossless) == (8, 6, lossless)
    image = read_image(path)
    assert (image.shape, image.dtype) == ((6, 8, 3), np.uint8)
    if lossless or name.endswith("webp"):
        assert np.array_equal(image, COLOUR)


def test_the_content_decides_the_format_not_the_name(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", Pillow.fromarray(COLOUR), format="PNG")
    assert verify_image(path).format == "PNG"


def test_a_format_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", Pillow.fromarray(COLOUR), format="GIF")
    assert refusal(path).reason == "image_unreadable"


def test_grey_one_bit_palette_and_cmyk_become_rgb(tmp_path: Path) -> None:
    grey = Pillow.fromarray(RAMP)
    bits = Pillow.fromarray(RAMP > 100)
    palette = Pillow.fromarray(COLOUR).quantize(64)
    assert np.array_equal(read_image(saved(tmp_path / "l.png", grey)), np.repeat(RAMP[..., None], 3, 2))
    assert np.array_equal(read_image(saved(tmp_path / "1.png", bits))[..., 1], np.where(RAMP > 100, 255, 0))
    assert np.array_equal(read_image(saved(tmp_path / "p.png", palette)), np.asarray(palette.convert("RGB")))
    cmyk = read_image(saved(tmp_path / "c.tif", Pillow.fromarray(COLOUR).convert("CMYK")))
    assert np.abs(cmyk.astype(int) - COLOUR).max() <= 2


def test_transparency_is_laid_over_black(tmp_path: Path) -> None:
    alpha = np.zeros((6, 8), np.uint8)
    alpha[:, 4:] = 255
    image = read_image(saved(tmp_path / "a.png", Pillow.fromarray(np.dstack([COLOUR, alpha]))))
    assert not image[:, :4].any()
    assert np.array_equal(image[:, 4:], COLOUR[:, 4:])
    palette = Pillow.fromarray(RAMP).convert("P")
    path = saved(tmp_path / "p.png", palette, transparency=int(np.asarray(palette)[0, 3]))
    assert not read_image(path)[0, 3].any()


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_grey_is_stretched_from_its_own_range(tmp_path: Path, name: str) -> None:
    # 1000 -> 0, 3040 -> 255; 1000 + 8 * 100 = 1800 -> 800 / 2040 * 255 = 100
    values = (1000 + 8 * np.linspace(0, 255, 48).round()).astype(np.uint16).reshape(6, 8)
    values[2, 2] = 1800
    image = read_image(saved(tmp_path / name, Pillow.fromarray(values)))
    assert image.min() == 0
    assert image.max() == 255
    assert image[2, 2].tolist() == [100, 100, 100]
    assert is_grey(image)


def test_float_grey_survives_nan_and_a_constant_is_black(tmp_path: Path) -> None:
    values = np.linspace(-1, 1, 48, dtype=np.float32).reshape(6, 8)
    values[0, 0], values[5, 7] = np.nan, np.inf
    image = read_image(saved(tmp_path / "f.tif", Pillow.fromarray(values)))
    assert image[0, 0, 0] == 0
    assert image[5, 7, 0] == 255
    constant = saved(tmp_path / "c.tif", Pillow.fromarray(np.full((6, 8), 700, np.uint16)))
    assert not read_image(constant).any()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.png", Pillow.fromarray(COLOUR), exif=exif)
    turned = {
        1: COLOUR, 2: COLOUR[:, ::-1], 3: COLOUR[::-1, ::-1], 4: COLOUR[::-1], 5: COLOUR.transpose(1, 0, 2),
        6: np.rot90(COLOUR, -1), 7: np.rot90(COLOUR, 2).transpose(1, 0, 2), 8: np.rot90(COLOUR, 1),
    }[orientation]  # fmt: skip
    assert np.array_equal(read_image(path), turned)
    assert verify_image(path)[:2] == (turned.shape[1], turned.shape[0])


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_of_several_frames_or_pages_one_has_to_be_chosen(tmp_path: Path, name: str) -> None:
    frames = [Pillow.fromarray(COLOUR), Pillow.fromarray(255 - COLOUR)]
    path = saved(tmp_path / name, frames[0], save_all=True, append_images=frames[1:], lossless=True)
    assert "2 pages or frames" in str(refusal(path))
    for frame, pixels in enumerate([COLOUR, 255 - COLOUR]):
        info = verify_image(path, ViewChoice(frame=frame))
        assert info.view == View(frame=frame)
        assert np.array_equal(read_image(path, info.view), pixels)
    with pytest.raises(ImageError, match="no frame 2, it has 2"):
        verify_image(path, ViewChoice(frame=2))


def test_smaller_copies_in_a_tiff_and_previews_in_a_jpeg_are_no_pages(tmp_path: Path) -> None:
    small = Pillow.fromarray(COLOUR).resize((4, 3))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    tiff = saved(tmp_path / "a.tif", Pillow.fromarray(COLOUR), save_all=True, append_images=[small])
    assert np.array_equal(read_image(tiff), COLOUR)
    assert verify_image(tiff).view is None
    phone = saved(tmp_path / "a.jpg", Pillow.fromarray(COLOUR), format="MPO", save_all=True, append_images=[small])
    assert read_image(phone).shape == (6, 8, 3)


# --- damage and bombs


def encoded(fmt: str, shape: tuple[int, int] = (64, 80), **options: object) -> bytes:
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    Pillow.fromarray(rng.integers(0, 255, (*shape, 3), np.uint8)).save(buffer, fmt, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.98])
def test_a_truncated_file_is_unreadable(tmp_path: Path, fmt: str, share: float) -> None:
    whole = encoded(fmt)
    path = tmp_path / f"cut.{fmt.lower()}"
    path.write_bytes(whole[: int(share * len(whole))])
    assert refusal(path).reason == "image_unreadable"


def test_text_under_an_image_s_name_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    path.write_text("<html>404</html>")
    assert refusal(path).reason == "image_unreadable"


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "TIFF", "WEBP", "BMP"]), st.data())
def test_a_damaged_file_is_read_or_refused_and_never_crashes(fmt: str, data: st.DataObject) -> None:
    content = bytearray(_SMALL[fmt])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = _scratch() / f"fuzz.{fmt.lower()}"
    path.write_bytes(content)
    with contextlib.suppress(ImageError):  # anything else, a warning too, fails the test
        assert read_image(path).ndim == 3


_SMALL = {fmt: encoded(fmt, (9, 7)) for fmt in ("PNG", "JPEG", "TIFF", "WEBP", "BMP")}
_FOLDERS: list[Path] = []


@pytest.fixture(autouse=True, scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> None:
    _FOLDERS.append(tmp_path_factory.mktemp("fuzz"))


def _scratch() -> Path:
    return _FOLDERS[0]


@pytest.mark.parametrize("side", [9_000, 15_000, 60_000])
def test_a_bomb_is_refused_by_its_header(tmp_path: Path, side: int) -> None:
    # a PNG of a few bytes that claims side x side pixels, below and above the sizes at which Pillow warns and refuses
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path = tmp_path / "bomb.png"
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    assert refusal(path).reason == "image_too_large"


def test_a_file_of_too_many_bytes_is_refused_unopened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_FILE_BYTES", 50)
    assert refusal(saved(tmp_path / "a.png", Pillow.fromarray(COLOUR))).reason == "image_too_large"


# --- masks

LESION = np.zeros((6, 8), np.bool_)
LESION[1:4, 2:6] = True


def test_masks_of_every_kind_give_the_same_lesion(tmp_path: Path) -> None:
    white = np.where(LESION, 255, 0).astype(np.uint8)
    red = np.zeros((6, 8, 3), np.uint8)
    red[LESION] = (187, 73, 73)
    opaque = np.full((6, 8), 255, np.uint8)
    kinds = {
        "grey": Pillow.fromarray(white),
        "resampled": Pillow.fromarray(np.where(LESION, 250, 3).astype(np.uint8)),
        "bits": Pillow.fromarray(LESION),
        "labels": Pillow.fromarray(LESION.astype(np.uint8)),
        "deep": Pillow.fromarray(np.where(LESION, 65535, 0).astype(np.uint16)),
        "rgb": Pillow.fromarray(np.repeat(white[..., None], 3, 2)),
        "colour": Pillow.fromarray(red),
        "palette": Pillow.fromarray(red).quantize(2),
        "rgba": Pillow.fromarray(np.dstack([red, opaque])),
        "alpha": Pillow.fromarray(np.dstack([np.full((6, 8, 3), 255, np.uint8), white])),
        "grey_alpha": Pillow.fromarray(np.dstack([white, opaque])),
    }
    for kind, picture in kinds.items():
        path = saved(tmp_path / f"{kind}.png", picture)
        assert np.array_equal(read_lesion_mask(path, (6, 8)), LESION), kind
        if kind != "deep":
            assert np.array_equal(lesion_mask_of(picture, (6, 8)), LESION), kind


def test_jpeg_noise_around_a_mask_is_no_lesion(tmp_path: Path) -> None:
    lesion = np.zeros((64, 64), np.bool_)
    lesion[16:40, 20:52] = True
    picture = Pillow.fromarray(np.where(lesion, 255, 0).astype(np.uint8)).convert("RGB")
    path = saved(tmp_path / "m.jpg", picture, quality=40)
    assert np.array_equal(read_lesion_mask(path, (64, 64)), lesion)


def test_a_cropped_mask_is_placed(tmp_path: Path) -> None:
    crop = Pillow.fromarray(np.where(LESION[1:4, 2:6], 255, 0).astype(np.uint8))
    path = saved(tmp_path / "m.png", crop)
    assert np.array_equal(read_lesion_mask(path, (6, 8), place_px=(2, 1)), LESION)
    for place in [None, (5, 1), (2, 4), (-1, 0)]:
        with pytest.raises(ImageError) as error:
            read_lesion_mask(path, (6, 8), place_px=place)
        assert error.value.reason == "mask_size_mismatch"


def test_masks_are_refused_by_their_own_reasons(tmp_path: Path) -> None:
    black = saved(tmp_path / "black.png", Pillow.fromarray(np.zeros((6, 8), np.uint8)))
    noise = saved(tmp_path / "noise.png", Pillow.fromarray((np.arange(48) % 20).astype(np.uint8).reshape(6, 8)))
    garbage = tmp_path / "garbage.png"
    garbage.write_bytes(b"\x89PNG\r\n\x1a\nno")
    expected = {black: "mask_empty", noise: "mask_empty", garbage: "mask_unreadable", tmp_path / "no": "mask_missing"}
    for path, reason in expected.items():
        with pytest.raises(ImageError) as error:
            read_lesion_mask(path, (6, 8))
        assert error.value.reason == reason
        assert path.name in str(error.value)


# --- writing


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.booleans(), st.integers(0, 2**32 - 1))
def test_png_gives_the_pixels_back_and_the_same_bytes(height: int, width: int, grey: bool, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    if grey:
        image[..., 1] = image[..., 2] = image[..., 0]
    assert is_grey(image) or not grey
    content = encode_png(image, grey=grey)
    assert content == encode_png(image.copy(), grey=grey)
    picture = Pillow.open(io.BytesIO(content))
    assert picture.mode == ("L" if grey else "RGB")
    assert np.array_equal(np.asarray(picture.convert("RGB")), image)


def test_arrays_and_pictures_are_taken_as_they_are() -> None:
    assert np.array_equal(image_of(RAMP), np.repeat(RAMP[..., None], 3, 2))
    assert np.array_equal(image_of(COLOUR), COLOUR)
    assert np.array_equal(image_of(Pillow.fromarray(COLOUR)), COLOUR)
    assert np.array_equal(lesion_mask_of(LESION.astype(np.int64) * 7, (6, 8)), LESION)
    for bad in (COLOUR.astype(np.float32), COLOUR[..., :2], np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ImageError) as error:
            image_of(bad)
        assert error.value.reason == "image_unreadable"
    with pytest.raises(ImageError) as error:
        lesion_mask_of(LESION, (8, 6))
    assert error.value.reason == "mask_size_mismatch"
