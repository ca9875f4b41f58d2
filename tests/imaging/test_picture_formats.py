"""Depths, colours and senses of grey of picture files: every one becomes the same picture, or a clear line."""

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from medprefkit.errors import ImageError
from medprefkit.images import ViewChoice, read_image, verify_image

RAMP = np.arange(0, 240, 5, np.uint8).reshape(6, 8)
STRETCHED = np.rint(RAMP / 235 * 255).astype(np.uint8)
COLOUR = np.stack([RAMP, RAMP[::-1], 255 - RAMP], axis=-1)
BGR = np.ascontiguousarray(COLOUR[..., ::-1])


def tiff(path: Path, values: NDArray[Any], *, photometric: int = 1, order: str = "<") -> Path:
    """Write a grey TIFF file by hand, with the sense, type and byte order that libraries rarely write."""
    sample = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()  # type: ignore[arg-type]
    height, width = values.shape
    tags = [(256, width), (257, height), (258, 8 * values.dtype.itemsize), (259, 1), (262, photometric), (273, 8),
            (277, 1), (278, height), (279, len(data)), (339, sample)]  # fmt: skip
    content = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(data)) + data
    content += struct.pack(order + "H", len(tags))
    for tag, value in tags:
        content += struct.pack(order + "HHII", tag, 4, 1, value)
    path.write_bytes(content + b"\0" * 4)
    return path


@pytest.mark.parametrize(
    "values",
    [RAMP.astype(np.uint16) * 257, (RAMP.astype(np.int16) - 100) * 90, RAMP.astype(np.uint32) * 1000,
     RAMP.astype(np.float32) / 7],
    ids=["u16", "s16", "u32", "f32"],
)  # fmt: skip
@pytest.mark.parametrize("order", ["<", ">"])
def test_deep_grey_is_stretched_whatever_its_type_and_order(tmp_path: Path, values: NDArray[Any], order: str) -> None:
    if (order, values.dtype) == (">", np.uint32):
        pytest.skip("Pillow does not read it, and says so")
    shown = read_image(tiff(tmp_path / "a.tif", values, order=order))
    assert np.array_equal(shown[..., 1], STRETCHED)


def test_a_tiff_in_which_the_least_is_white(tmp_path: Path) -> None:
    assert np.array_equal(read_image(tiff(tmp_path / "8.tif", 255 - RAMP, photometric=0))[..., 0], RAMP)
    deep = tiff(tmp_path / "16.tif", 65_535 - RAMP.astype(np.uint16) * 257, photometric=0)
    assert np.array_equal(read_image(deep)[..., 0], STRETCHED)


@pytest.mark.parametrize("name", ["rgb.png", "rgb.tif", "rgba.png", "rgba.tif"])
def test_colour_of_16_bits_keeps_its_upper_8(tmp_path: Path, name: str) -> None:
    deep = BGR.astype(np.uint16) * 257
    opaque = np.full((6, 8, 1), 65_535, np.uint16)
    cv2.imwrite(str(tmp_path / name), np.concatenate([deep, opaque], axis=2) if "rgba" in name else deep)
    assert np.array_equal(read_image(tmp_path / name), COLOUR)


@pytest.mark.parametrize(
    ("name", "mode", "options", "off_by"),
    [("a.jpg", "CMYK", {"quality": 100}, 2), ("a.tif", "CMYK", {"compression": "tiff_lzw"}, 0),
     ("b.tif", "LAB", {}, 12), ("c.png", "LA", {}, 0), ("d.tif", "RGB", {"compression": "jpeg", "quality": 100}, 3)],
)  # fmt: skip
def test_other_colour_modes(tmp_path: Path, name: str, mode: str, options: dict[str, Any], off_by: int) -> None:
    given = np.full((16, 16, 3), (180, 60, 90), np.uint8)
    picture = Pillow.fromarray(given)
    Pillow.Image.save(picture.convert(mode), tmp_path / name, **options)
    wanted = np.asarray(picture.convert("L").convert("RGB")) if mode == "LA" else given
    assert np.abs(read_image(tmp_path / name).astype(int) - wanted).max() <= off_by


@pytest.mark.parametrize("values", [RAMP.astype(np.int8), RAMP.astype(np.float64)], ids=["signed bytes", "64 bits"])
def test_what_would_come_out_wrong_is_refused(tmp_path: Path, values: NDArray[Any]) -> None:
    with pytest.raises(ImageError) as error:
        read_image(tiff(tmp_path / "a.tif", values))
    assert error.value.reason == "image_unreadable"
    assert "\n" not in str(error.value)


def test_a_window_is_for_deep_pictures(tmp_path: Path) -> None:
    deep = tiff(tmp_path / "a.tif", np.array([[0, 1000, 2000]], np.uint16))
    view = verify_image(deep, ViewChoice(window=(1000, 1000))).view
    assert view is not None
    assert read_image(deep, view)[0, :, 0].tolist() == [0, 128, 255]
    Pillow.fromarray(RAMP).save(tmp_path / "b.png")
    assert verify_image(tmp_path / "b.png", ViewChoice(window=(10, 5))).view is None
