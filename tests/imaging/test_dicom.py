"""DICOM files become the picture that a viewer shows, or one clear line: files with known values, and real ones."""

import contextlib
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from made_dicom import image, item
from PIL import Image as Pillow
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.sequence import Sequence
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
)

from medprefkit.errors import ImageError
from medprefkit.images import ViewChoice, read_image, verify_image
from medprefkit.imaging import dicom, formats
from medprefkit.records import View

HU = np.array([[-1000, -160, 0], [40, 240, 1000]], np.int16)
REAL = Path(pydicom.__file__).parent / "data" / "test_files"


def refusal(path: Path, choice: ViewChoice | None = None) -> ImageError:
    with pytest.raises(ImageError) as error:
        verify_image(path, choice)
    assert "\n" not in str(error.value)
    assert path.name in str(error.value)
    return error.value


def grey(path: Path, choice: ViewChoice | None = None) -> list[list[int]]:
    info = verify_image(path, choice)
    shown = read_image(path, info.view)
    assert np.array_equal(shown[..., 0], shown[..., 2])
    return shown[..., 0].tolist()  # type: ignore[no-any-return]  # of uint8


# --- windows


def test_a_window_is_applied_after_the_rescale(tmp_path: Path) -> None:
    # stored + intercept -1024 = HU; center 40, width 400, linear: (HU - 39.5) / 399 + .5, of 255; 0 HU -> 102.3
    path = image(
        tmp_path / "a.dcm", (HU + 1024).astype(np.uint16), RescaleSlope=1, RescaleIntercept=-1024,
        WindowCenter=40, WindowWidth=400,
    )  # fmt: skip
    assert grey(path) == [[0, 0, 102], [128, 255, 255]]
    assert verify_image(path).view == View(window=(40.0, 400.0))


def test_the_first_of_several_windows_counts_and_one_that_is_asked_for_wins(tmp_path: Path) -> None:
    path = image(tmp_path / "a.dcm", HU, WindowCenter=[40, -600], WindowWidth=[400, 1500])
    assert verify_image(path).view == View(window=(40.0, 400.0))
    # exact: (HU + 600) / 1500 + .5: -1000 -> .2333 -> 59, -160 -> .793 -> 202, 0 -> .9 -> 229.5
    assert grey(path, ViewChoice(window=(-600, 1500))) == [[60, 202, 230], [236, 255, 255]]


def test_exact_and_sigmoid_functions(tmp_path: Path) -> None:
    tags: dict[str, Any] = {"WindowCenter": 0, "WindowWidth": 2000}
    exact = image(tmp_path / "e.dcm", HU, VOILUTFunction="LINEAR_EXACT", **tags)
    assert grey(exact) == [[0, 107, 128], [133, 158, 255]]  # (HU / 2000 + .5) * 255
    sigmoid = image(tmp_path / "s.dcm", HU, VOILUTFunction="SIGMOID", **tags)
    # 1 / (1 + exp(-4 HU / 2000)): -1000 -> .1192 -> 30.4, 40 -> .52 -> 132.6
    assert [grey(sigmoid)[0][0], grey(sigmoid)[1][0]] == [30, 133]
    assert grey(sigmoid) == read_image(sigmoid, View(window=(0.0, 2000.0)))[..., 0].tolist()


def test_a_table_wins_over_the_file_s_window_and_not_over_one_asked_for(tmp_path: Path) -> None:
    values = np.array([[0, 1, 2, 3]], np.uint16)
    table = item(LUTDescriptor=[4, 0, 8], LUTData=np.array([9, 200, 30, 255], np.uint16).tobytes())
    path = image(
        tmp_path / "a.dcm", values, VOILUTSequence=Sequence([table]), WindowCenter=1, WindowWidth=2, BitsStored=8,
        HighBit=7,
    )  # fmt: skip
    assert grey(path) == [[9, 200, 30, 255]]
    assert verify_image(path).view == View()
    assert grey(path, ViewChoice(window=(1.5, 3.0))) == [[0, 85, 170, 255]]


def test_the_least_is_white_in_monochrome1_and_padding_stays_black(tmp_path: Path) -> None:
    values = np.array([[-2000, 0, 100, 200]], np.int16)
    path = image(
        tmp_path / "a.dcm", values, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=-2000,
        WindowCenter=100, WindowWidth=200, VOILUTFunction="LINEAR_EXACT",
    )  # fmt: skip
    assert grey(path) == [[0, 255, 127, 0]]


def test_a_deep_image_without_a_window_is_spread_over_its_own_values(tmp_path: Path) -> None:
    values = np.linspace(0, 4000, 40_000).astype(np.uint16).reshape(200, 200)
    values[0, 0] = 60_000  # a marker
    values[1] = 65_535
    path = image(tmp_path / "a.dcm", values, PixelPaddingValue=65_535)
    shown = read_image(path)[..., 0]
    assert shown[2].max() < 10
    assert shown[-1].min() > 250
    assert not shown[1].any()
    window = verify_image(path).view
    assert window is not None
    assert np.array_equal(read_image(path, window)[..., 0], shown)


def test_grey_of_8_bits_stays_as_it_is(tmp_path: Path) -> None:
    values = np.array([[7, 130], [99, 201]], np.uint8)
    assert grey(image(tmp_path / "a.dcm", values)) == values.tolist()


def test_twelve_bits_with_an_overlay_in_the_upper_ones(tmp_path: Path) -> None:
    values = np.array([[0, 4095, 2048, 4095 | 0x8000]], np.uint16)
    path = image(
        tmp_path / "a.dcm", values, BitsStored=12, HighBit=11, WindowCenter=2047.5, WindowWidth=4095,
        VOILUTFunction="LINEAR_EXACT",
    )  # fmt: skip
    made = pydicom.dcmread(path)
    made.add_new(0x60000102, "US", 15)
    made.save_as(path)
    assert grey(path) == [[0, 255, 128, 255]]


# --- frames, colour, spacing


def test_a_frame_is_chosen_with_its_own_window_and_spacing(tmp_path: Path) -> None:
    values = np.stack([np.full((2, 4), 100 * k, np.int16) for k in range(5)])
    groups = [
        item(
            FrameVOILUTSequence=Sequence([item(WindowCenter=100 * k, WindowWidth=100 * (k + 1))]),
            PixelMeasuresSequence=Sequence([item(PixelSpacing=[0.5, 0.25 + k])]),
        )
        for k in range(5)
    ]
    path = image(tmp_path / "a.dcm", values, PerFrameFunctionalGroupsSequence=Sequence(groups))
    assert verify_image(path).view == View(frame=0, window=(0.0, 100.0), spacing_mm=(0.5, 0.25))
    middle = verify_image(path, ViewChoice(frame="middle")).view
    assert middle == View(frame=2, window=(200.0, 300.0), spacing_mm=(0.5, 2.25))
    assert read_image(path, middle)[0, 0, 0] == 128
    assert "no frame 5, it has 5" in str(refusal(path, ViewChoice(frame=5)))
    assert "no mask says" in str(refusal(path, ViewChoice(frame="lesion")))


def test_colour_by_palette_by_ybr_and_of_16_bits(tmp_path: Path) -> None:
    rgb = np.array([[[250, 10, 10], [10, 250, 10]]], np.uint8)
    assert np.array_equal(read_image(image(tmp_path / "rgb.dcm", rgb)), rgb)
    deep = image(tmp_path / "deep.dcm", rgb.astype(np.uint16) * 257)
    assert np.array_equal(read_image(deep), rgb)
    tables = {
        f"{name}PaletteColorLookupTable{part}": value
        for name, entries in {"Red": [1, 200], "Green": [2, 20], "Blue": [3, 2]}.items()
        for part, value in {
            "Descriptor": [2, 0, 16],
            "Data": (np.array(entries, np.uint16) * 257).tobytes(),
        }.items()
    }
    palette = image(
        tmp_path / "p.dcm", np.array([[0, 1]], np.uint8), PhotometricInterpretation="PALETTE COLOR", **tables
    )
    assert read_image(palette).tolist() == [[[1, 2, 3], [200, 20, 2]]]
    ybr = image(tmp_path / "y.dcm", np.array([[[81, 90, 240]]], np.uint8), PhotometricInterpretation="YBR_FULL")
    assert read_image(ybr)[0, 0, 0] > 200 > 60 > read_image(ybr)[0, 0, 1]


@pytest.mark.parametrize(
    ("tags", "spacing"),
    [
        ({"PixelSpacing": [0.7, 0.6]}, (0.7, 0.6)),
        ({"ImagerPixelSpacing": [0.14, 0.14]}, (0.14, 0.14)),
        ({"PixelSpacing": [0.7, 0.6], "ImagerPixelSpacing": [1, 1]}, (0.7, 0.6)),
        ({"PixelSpacing": [0, 0]}, None),
        ({}, None),
    ],
)
def test_spacing_is_kept(tmp_path: Path, tags: dict[str, Any], spacing: tuple[float, float] | None) -> None:
    view = verify_image(image(tmp_path / "a.dcm", HU, **tags)).view
    assert view is not None
    assert view.spacing_mm == spacing


# --- what cannot be read


def test_sizes_that_are_absurd_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    path = image(tmp_path / "a.dcm", HU, Rows=65_535, Columns=65_535)
    assert refusal(path).reason == "image_too_large"
    assert refusal(image(tmp_path / "b.dcm", HU, Rows=0)).reason == "image_unreadable"
    assert refusal(image(tmp_path / "c.dcm", HU, NumberOfFrames=3), ViewChoice(frame=2)).reason == "image_unreadable"


def test_a_deflated_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = image(tmp_path / "a.dcm", HU, syntax=DeflatedExplicitVRLittleEndian, WindowCenter=40, WindowWidth=400)
    assert read_image(path).shape == (2, 3, 3)
    monkeypatch.setattr(dicom, "MAX_FILE_BYTES", 5_000_000)
    content = path.read_bytes()
    start = 128 + 4 + 12 + int(pydicom.filereader.read_file_meta_info(path).FileMetaInformationGroupLength)
    packed = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    path.write_bytes(content[:start] + packed.compress(b"\0" * 20_000_000) + packed.flush())
    assert path.stat().st_size < 50_000
    assert refusal(path).reason == "image_too_large"


def test_an_encoded_frame_larger_than_declared_is_refused(tmp_path: Path) -> None:
    path = image(tmp_path / "a.dcm", np.zeros((8, 8), np.uint8))
    made = pydicom.dcmread(path)
    made.file_meta.TransferSyntaxUID = JPEG2000Lossless
    large = tmp_path / "large.jp2"
    Pillow.fromarray(np.zeros((64, 64), np.uint8)).save(large, "JPEG2000", no_jp2=True)
    content = bytearray(large.read_bytes())
    content[8:16] = (60_000).to_bytes(4, "big") * 2  # the size in the codestream's SIZ marker
    made.PixelData = encapsulate([bytes(content)])
    made["PixelData"].VR = "OB"
    made.save_as(path)
    assert refusal(path).reason in {"image_too_large", "image_unreadable"}


@pytest.mark.parametrize("syntax", [MPEG2MPML, "1.2.3.4.5.6"])
def test_an_unknown_transfer_syntax_is_one_line(tmp_path: Path, syntax: str) -> None:
    path = image(tmp_path / "a.dcm", HU)
    made = pydicom.dcmread(path)
    made.PixelData = encapsulate([made.PixelData])
    made.file_meta.TransferSyntaxUID = syntax
    made["PixelData"].VR = "OB"
    made.save_as(path)
    assert "no installed decoder reads its transfer syntax" in str(refusal(path))


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    for name in ("rtdose.dcm", "liver_1frame.dcm", "rtplan.dcm", "reportsi.dcm"):
        assert refusal(REAL / name).reason == "image_unreadable"
    nan = image(tmp_path / "a.dcm", HU)
    made = pydicom.dcmread(nan)
    del made.PixelData
    made.FloatPixelData = np.full((2, 3), np.nan, np.float32).tobytes()
    made.BitsAllocated = 32
    made.save_as(nan)
    assert "finite" in str(refusal(nan))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.95])
def test_a_truncated_file_is_unreadable(tmp_path: Path, share: float) -> None:
    content = (REAL / "MR_small.dcm").read_bytes()
    path = tmp_path / "cut.dcm"
    path.write_bytes(content[: int(share * len(content))])
    assert refusal(path).reason == "image_unreadable"


def test_without_the_extra_the_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = image(tmp_path / "a.dcm", HU)

    def missing() -> None:
        raise ModuleNotFoundError("No module named 'pydicom'", name="pydicom")

    with pytest.raises(ImageError, match=r"pip install 'medprefkit\[dicom\]'"), formats.needing_extra(path):
        missing()


# --- real files, as pydicom brings them


@pytest.mark.parametrize(
    "name",
    ["MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small_jp2klossless.dcm",
     "MR_small_expb.dcm", "MR_small_padded.dcm"],
)  # fmt: skip
def test_one_real_image_in_many_encodings_is_one_picture(name: str) -> None:
    assert np.array_equal(read_image(REAL / name), read_image(REAL / "MR_small.dcm"))


@pytest.mark.parametrize(
    ("name", "shape", "mean"),
    [
        ("CT_small.dcm", (128, 128), 115),
        ("J2K_pixelrep_mismatch.dcm", (512, 512), 63),
        ("examples_overlay.dcm", (300, 484), 48),
        ("examples_palette.dcm", (350, 800), 20),
        ("examples_jpeg2k.dcm", (480, 640), 34),
        ("SC_rgb_rle_16bit.dcm", (100, 100), 128),
        ("SC_ybr_full_422_uncompressed.dcm", (100, 100), 128),
        ("image_dfl.dcm", (512, 512), 127),
    ],
)
def test_real_files_are_the_pictures_that_were_looked_at(name: str, shape: tuple[int, int], mean: int) -> None:
    shown = read_image(REAL / name)
    assert shown.shape == (*shape, 3)
    assert shown.mean() == pytest.approx(mean, abs=1)


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "SC_rgb_jpeg_gdcm.dcm", "MR_truncated.dcm", "badVR.dcm"])
def test_real_files_that_cannot_be_decoded_are_one_line(name: str) -> None:
    if name == "SC_rgb_jpeg_gdcm.dcm" and get_decoder(JPEGLosslessSV1).is_available:
        pytest.skip("an installed package reads JPEG Lossless")
    if name == "JPGExtended.dcm" and "gdcm" in str(get_decoder(JPEGBaseline8Bit).available_plugins):
        pytest.skip("gdcm reads 12-bit JPEG")
    assert refusal(REAL / name).reason == "image_unreadable"


def test_a_damaged_file_is_read_or_refused_and_never_crashes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("MR_small_RLE.dcm", "CT_small.dcm", "SC_rgb_small_odd_jpeg.dcm", "JPEG2000.dcm"):
        whole = np.frombuffer((REAL / name).read_bytes(), np.uint8)
        for k in range(30):
            content = whole.copy()
            places = rng.integers(132, min(len(whole), 3000), rng.integers(1, 6))
            content[places] = rng.integers(0, 256, len(places))
            path = tmp_path / f"{k}.dcm"
            path.write_bytes(content.tobytes())
            with contextlib.suppress(ImageError):  # anything else, a warning too, fails the test
                assert read_image(path).ndim == 3


def test_rle_is_among_what_needs_nothing_installed() -> None:
    assert get_decoder(RLELossless).is_available
