"""From files to files: the stage's step, and `corrupt_image` for one image in hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from medprefkit.corrupt.noise import Noise
from medprefkit.corrupt.single import corrupt_image
from medprefkit.corrupt.step import CorruptStep
from medprefkit.errors import ImageError, RecipeError
from medprefkit.images import read_image, read_lesion_mask
from medprefkit.protocols import Image, Mask
from medprefkit.records import Case, CorruptedImage, Dropped, Example, ImageRef, MaskRef, Source
from medprefkit.registry import installed, load

SOURCE = Source(name="test", licence="CC0")


def drawn(grey: bool = True, seed: int = 0) -> Image:
    rng = np.random.default_rng(seed)
    grain = rng.normal(0, 6, (90, 120, 1 if grey else 3))
    return np.broadcast_to(np.clip(130 + grain, 0, 255).astype(np.uint8), (90, 120, 3)).copy()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    (data / "m").mkdir(parents=True)
    Pillow.fromarray(drawn()[..., 0]).save(data / "grey.png")
    Pillow.fromarray(drawn(grey=False)).save(data / "colour.jpg", quality=90)
    Pillow.fromarray(drawn(seed=5)).save(data / "rgb_of_grey.png")
    for name, (top, left, side) in {
        "a": (20, 20, 14),
        "b": (50, 70, 10),
        "whole": (0, 0, 200),
        "none": (0, 0, 0),
    }.items():
        mask = np.zeros((90, 120), np.uint8)
        mask[top : top + side, left : left + side] = 255
        Pillow.fromarray(mask).save(data / "m" / f"{name}.png")
    (data / "m" / "broken.png").write_bytes(b"\x89PNG\r\n")
    Pillow.fromarray(np.full((10, 10), 255, np.uint8)).save(data / "m" / "crop.png")
    return data


def case(record_id: str, images: list[str], masks: list[MaskRef]) -> Case:
    refs = tuple(ImageRef(path=path) for path in images)
    return Case(
        Example(
            id=record_id, group_id="g", task="report", prompt="p", reference="r", images=refs,
            lesion_masks=tuple(masks), source=SOURCE,
        )
    )  # fmt: skip


def mask(name: str, image_index: int = 0, place_px: tuple[int, int] | None = None) -> MaskRef:
    return MaskRef(path=f"m/{name}.png", image_index=image_index, place_px=place_px)


def step(root: Path, **options: Any) -> CorruptStep:
    settings: dict[str, Any] = {"corruption": Noise(), "name": "noise", "run_dir": root.parent / "run", "run_seed": 7}
    return CorruptStep(data_root=root, **(settings | options))


def one(root: Path, one_case: Case, **options: Any) -> CorruptedImage | Dropped:
    (outcome,) = step(root, **options)([one_case])
    return outcome


def test_clean_corrupted_and_control_are_one_codec_and_one_mode(root: Path) -> None:
    for name, mode in {"grey.png": "L", "colour.jpg": "RGB", "rgb_of_grey.png": "L"}.items():
        record = one(root, case(f"study/{name}", [name], [mask("a")]))
        assert isinstance(record, CorruptedImage)
        refs = [*record.clean, *record.corrupted, *record.control]
        assert len(refs) == 3
        pictures = [Pillow.open(root.parent / "run" / ref.path) for ref in refs]
        assert {(p.format, p.mode, tuple(p.info)) for p in pictures} == {("PNG", mode, ())}
        clean, corrupted, control = (np.asarray(p.convert("RGB")) for p in pictures)
        original = read_image(root / name)
        lesion = read_lesion_mask(root / "m" / "a.png", (90, 120))
        assert np.array_equal(clean, original)
        assert (corrupted[lesion] != original[lesion]).any()
        assert np.array_equal(control[lesion], original[lesion])
        assert record.changed_share == (corrupted != original).any(axis=2).mean()
        assert record.lesion_share == 14 * 14 / (90 * 120)
        assert (record.region.left_px, record.region.bottom_px) == (20 - 3, 20 + 14 + 3)
        assert (record.name, record.seed, record.no_control) == ("noise", 7, "")
        assert json.loads(record.options) == {
            "margin_px": None, "margin_mm": None, "spacing_mm": None, "strength": 1.0, "feather_px": 2,
            "deviation": 32.0,
        }  # fmt: skip


def test_several_masks_of_an_image_are_united_and_an_image_without_one_is_its_own_partner(root: Path) -> None:
    masks = [mask("a"), mask("none"), mask("b")]
    record = one(root, case("two", ["grey.png", "colour.jpg"], masks))
    assert isinstance(record, CorruptedImage)
    assert record.lesion_share == (14 * 14 + 10 * 10) / (90 * 120)
    assert len(record.clean) == len(record.corrupted) == len(record.control) == 2
    assert record.clean[1] == record.corrupted[1] == record.control[1]
    assert record.clean[0] != record.corrupted[0]


def test_a_mask_belongs_to_its_image_and_may_be_cropped(root: Path) -> None:
    record = one(root, case("second", ["grey.png", "colour.jpg"], [mask("crop", 1, (30, 40))]))
    assert isinstance(record, CorruptedImage)
    assert record.corrupted[0] == record.clean[0]
    assert (record.region.left_px, record.region.top_px) == (27, 37)


@pytest.mark.parametrize(
    ("images", "masks", "reason"),
    [
        (["grey.png"], [mask("gone")], "mask_missing"),
        (["grey.png"], [mask("broken")], "mask_unreadable"),
        (["grey.png"], [mask("none")], "mask_empty"),
        (["grey.png"], [mask("none"), mask("none")], "mask_empty"),
        (["grey.png"], [mask("whole")], "mask_too_large"),
        (["grey.png"], [mask("crop")], "mask_size_mismatch"),
        (["grey.png"], [], "mask_missing"),
        (["gone.png"], [mask("a")], "image_missing"),
        (["../data/grey.png"], [mask("a")], "image_outside_root"),
        (["m/broken.png"], [mask("a")], "image_unreadable"),
    ],
)
def test_what_cannot_be_corrupted_is_dropped_with_its_reason(
    root: Path, images: list[str], masks: list[MaskRef], reason: str
) -> None:
    dropped = one(root, case("bad", images, masks))
    assert isinstance(dropped, Dropped)
    assert (dropped.id, dropped.stage, dropped.reason) == ("bad", "corrupt", reason)
    assert dropped.detail
    assert "\n" not in dropped.detail
    assert str(root) not in dropped.detail


def test_no_control_keeps_the_record_and_says_why(root: Path) -> None:
    white = np.zeros((90, 120), np.uint8)
    white[5:70, 5:100] = 255
    Pillow.fromarray(white).save(root / "m" / "large.png")
    record = one(root, case("large", ["grey.png"], [mask("large")]), max_lesion_share=0.7)
    assert isinstance(record, CorruptedImage)
    assert record.control == ()
    assert record.no_control.startswith("no_healthy_tissue")
    silent = one(root, case("large", ["grey.png"], [mask("large")]), max_lesion_share=0.7, control=False)
    assert isinstance(silent, CorruptedImage)
    assert (silent.control, silent.no_control) == ((), "")


def test_bytes_depend_on_seed_and_id_and_on_nothing_else(root: Path, tmp_path: Path) -> None:
    cases = [case(f"s/{i}", ["grey.png"], [mask("a")]) for i in range(3)]
    together = step(root, run_dir=tmp_path / "x")(cases)
    apart = [record for one_case in reversed(cases) for record in step(root, run_dir=tmp_path / "y")([one_case])][::-1]
    assert together == apart
    names = sorted(path.relative_to(tmp_path / "x") for path in (tmp_path / "x").rglob("*") if path.is_file())
    assert len(names) == 9
    assert all((tmp_path / "x" / n).read_bytes() == (tmp_path / "y" / n).read_bytes() for n in names)
    assert len({(tmp_path / "x" / record.corrupted[0].path).read_bytes() for record in together}) == 3
    step(root, run_dir=tmp_path / "z", run_seed=8)(cases[:1])
    path = together[0].corrupted[0].path
    assert (tmp_path / "z" / path).read_bytes() != (tmp_path / "x" / path).read_bytes()


def test_a_corruption_whose_options_cannot_be_recorded_is_refused(root: Path) -> None:
    class Plain:
        def region(self, lesion_mask: Mask) -> Mask:
            return lesion_mask

        def __call__(self, image: Image, lesion_mask: Mask, rng: np.random.Generator) -> Image:
            return image

    with pytest.raises(RecipeError, match="no dataclass"):
        step(root, corruption=Plain())


# --- one image in hand


def test_corrupt_image_takes_arrays_pictures_and_paths(root: Path) -> None:
    image, lesion = read_image(root / "grey.png"), read_lesion_mask(root / "m" / "a.png", (90, 120))
    from_arrays = corrupt_image(image, lesion)
    from_grey = corrupt_image(image[..., 0], lesion.astype(np.uint8))
    from_pictures = corrupt_image(Pillow.open(root / "grey.png"), Pillow.open(root / "m" / "a.png"))
    from_paths = corrupt_image(root / "grey.png", str(root / "m" / "a.png"))
    for other in (from_grey, from_pictures, from_paths):
        assert np.array_equal(other.image, from_arrays.image)
    assert from_arrays.control is not None
    assert np.array_equal(from_arrays.image[~from_arrays.region], image[~from_arrays.region])
    noisy = [corrupt_image(image, lesion, corruption="noise", seed=seed).image for seed in (0, 1)]
    assert not np.array_equal(noisy[0], noisy[1])


def test_corrupt_image_passes_options_and_names_what_is_wrong() -> None:
    image, lesion = drawn(), np.zeros((90, 120), np.bool_)
    lesion[30:40, 30:40] = True
    wide = corrupt_image(image, lesion, corruption="noise", margin_px=9, deviation=60.0)
    assert wide.region.sum() > corrupt_image(image, lesion, corruption="noise").region.sum()
    with pytest.raises(RecipeError, match="margin"):
        corrupt_image(image, lesion, corruption="noise", margin=9)
    with pytest.raises(RecipeError, match=r"installed: .*telea"):
        corrupt_image(image, lesion, corruption="eraser")
    with pytest.raises(ImageError) as error:
        corrupt_image(image, ~lesion)
    assert error.value.reason == "mask_too_large"


def _chunks(path: Path) -> list[tuple[bytes, bytes]]:
    """The kinds of a PNG file's chunks in order, runs of IDAT as one, and what the header says."""
    data, at, found = path.read_bytes(), 8, []
    while at < len(data):
        length, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length] if kind == b"IHDR" else b""
        if not found or found[-1][0] != kind:
            found.append((kind, body))
        at += 12 + length
    return found


@pytest.mark.parametrize("name", sorted(set(installed("corruptions")) - {"diffusion"}))
def test_no_file_s_form_tells_which_corruption_made_it(root: Path, name: str) -> None:
    corruption = load("corruptions", name)()
    for image in ("grey.png", "colour.jpg"):
        record = one(root, case(f"s/{image}", [image], [mask("b")]), corruption=corruption, name=name)
        assert isinstance(record, CorruptedImage), record
        paths = [root.parent / "run" / ref.path for ref in (*record.clean, *record.corrupted, *record.control)]
        assert len(paths) == 3
        first, *others = (_chunks(path) for path in paths)
        assert [kind for kind, _ in first] == [b"IHDR", b"IDAT", b"IEND"]
        assert all(other == first for other in others)
