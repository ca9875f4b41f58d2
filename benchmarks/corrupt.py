"""How fast a lesion is removed from an image file, and what memory it takes.

    python benchmarks/corrupt.py DATA > corrupt.json        # the table goes to stderr

DATA is a folder whose sub-folders hold `images/` and masks of the same stems in `masks/`. One image costs: decode,
remove by `telea` in the region only, encode. Beside it, on the same images in the same run:

- `full frame`: Pillow decodes, OpenCV's Telea runs over the whole picture, Pillow encodes with its defaults;
- `raw parts`: OpenCV's decode, its Telea on the region's box at full resolution, and its PNG encode at level 1.

The last has no grain, no tissue search, no fading and no refusals: it is the floor. One core, runs A B C A B C; the
median of the runs of each image counts. The other corruptions that fill are timed beside them, one run each, and the
whole of a case: clean copy, corrupted copy and control, decoded once. Memory is what this process holds after each run
over all images. A picture of 4288 x 2848 pixels, the size of a fundus camera's, is drawn and timed last.
"""

import argparse
import contextlib
import functools
import io
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import psutil
from PIL import Image as Pillow

from medprefkit.corrupt.apply import apply_corruption
from medprefkit.corrupt.blend import HealthyBlend
from medprefkit.corrupt.exemplar import Exemplar, Texture
from medprefkit.corrupt.inpaint import Telea
from medprefkit.corrupt.region import box_of
from medprefkit.errors import ImageError, MedPrefKitError
from medprefkit.images import encode_png, is_grey, read_image, read_lesion_mask
from medprefkit.measure_images import pair_files
from medprefkit.protocols import Corruption, Mask

RADIUS_PX = 5
PAD_PX = 12
N_RUNS = 3
REMOVER = Telea()
OTHERS: dict[str, Corruption] = {"healthy_blend": HealthyBlend(), "exemplar": Exemplar(), "texture": Texture()}


class Subject(NamedTuple):
    """An image file and where its lesion is."""

    path: Path
    mask: Mask
    region: Mask


def ours(one: Subject) -> None:
    """Decode, corrupt and encode."""
    image = read_image(one.path)
    encode_png(REMOVER(image, one.mask, np.random.default_rng(0)), grey=is_grey(image))


def whole_case(one: Subject) -> None:
    """Decode, corrupt, corrupt healthy tissue as a control, and encode all three."""
    image = read_image(one.path)
    result = apply_corruption(image, one.mask, REMOVER, np.random.default_rng(0), control=True, max_lesion_share=1.0)
    for picture in (image, result.image, *([result.control.image] if result.control else [])):
        encode_png(picture, grey=is_grey(image))


def other(name: str, one: Subject) -> None:
    """Decode, corrupt otherwise, and encode; a refusal takes its time too."""
    image = read_image(one.path)
    with contextlib.suppress(ImageError):
        encode_png(OTHERS[name](image, one.mask, np.random.default_rng(0)), grey=is_grey(image))


def full_frame(one: Subject) -> None:
    """Do the same without a region of interest."""
    with Pillow.open(one.path) as picture:
        image = np.asarray(picture.convert("RGB"))
    painted = cv2.inpaint(image, one.region.astype(np.uint8), RADIUS_PX, cv2.INPAINT_TELEA)
    Pillow.fromarray(painted).save(io.BytesIO(), "PNG")


def raw_parts(one: Subject) -> None:
    """Run the bare libraries."""
    image = cv2.imread(str(one.path), cv2.IMREAD_COLOR)
    box = box_of(one.region).padded(PAD_PX, one.region.shape)
    hole = one.region[box.slices].astype(np.uint8)
    image[box.slices] = cv2.inpaint(np.ascontiguousarray(image[box.slices]), hole, RADIUS_PX, cv2.INPAINT_TELEA)
    grey = np.array_equal(image[..., 0], image[..., 1]) and np.array_equal(image[..., 0], image[..., 2])
    cv2.imencode(".png", image[..., 0] if grey else image, [cv2.IMWRITE_PNG_COMPRESSION, 1])


WAYS: dict[str, Callable[[Subject], None]] = {"medprefkit": ours, "full frame": full_frame, "raw parts": raw_parts}


def read_subjects(data: Path, at_most: int) -> list[Subject]:
    """Return images and masks of every sub-folder in turn; those that do not fit are passed over."""
    subjects: list[Subject] = []
    for folder in sorted(data.iterdir()):
        if not ((folder / "images").is_dir() and (folder / "masks").is_dir()):
            continue
        try:
            pairs = pair_files(folder / "images", folder / "masks")
        except MedPrefKitError:
            continue
        for pair in pairs[:at_most]:
            image = read_image(pair.image)
            try:
                mask = read_lesion_mask(pair.mask, (image.shape[0], image.shape[1]))
            except MedPrefKitError:
                continue
            subjects.append(Subject(pair.image, mask, REMOVER.region(mask)))
    return subjects


def seconds(work: Callable[[Subject], None], one: Subject) -> float:
    """Return how long one image takes."""
    started = time.perf_counter()
    work(one)
    return time.perf_counter() - started


def measure(subjects: Sequence[Subject]) -> dict[str, Any]:
    """Time every way on every image."""
    process, peaks = psutil.Process(), []
    runs: dict[str, list[list[float]]] = {name: [[] for _ in subjects] for name in WAYS}
    for _ in range(N_RUNS):
        for k, one in enumerate(subjects):
            for name, work in WAYS.items():
                runs[name][k].append(seconds(work, one))
        peaks.append(process.memory_info().rss)
    others = {name: sum(seconds(functools.partial(other, name), one) for one in subjects) for name in OTHERS}
    others["telea, copy and control"] = sum(seconds(whole_case, one) for one in subjects)
    total = {name: sum(statistics.median(of_one) for of_one in of_all) for name, of_all in runs.items()}
    return {
        "n_images": len(subjects),
        "megapixels": sum(one.mask.size for one in subjects) / 1e6,
        "images_per_second": {name: len(subjects) / value for name, value in total.items()},
        "other_images_per_second": {name: len(subjects) / value for name, value in others.items()},
        "times_full_frame": total["full frame"] / total["medprefkit"],
        "over_raw_parts": total["medprefkit"] / total["raw parts"],
        "rss_bytes_after_each_run": peaks,
    }


def large_picture() -> float:
    """Return the seconds that the removal takes on a drawn picture of 4288 x 2848 pixels with 300 small lesions."""
    rng = np.random.default_rng(0)
    image = np.repeat(rng.integers(90, 110, (2848, 4288, 1), np.uint8), 3, axis=2)
    mask = np.zeros((2848, 4288), np.uint8)
    for row, column in zip(rng.integers(50, 2798, 300), rng.integers(50, 4238, 300), strict=True):
        cv2.circle(mask, (int(column), int(row)), 6, 1, -1)
    started = time.perf_counter()
    encode_png(REMOVER(image, mask.astype(np.bool_), rng), grey=True)
    return time.perf_counter() - started


def as_table(result: dict[str, Any]) -> str:
    """Return the result for a reader."""
    speed = result["images_per_second"]
    lines = [f"{result['n_images']} images, {result['megapixels']:.0f} megapixels, one core", "            images/s"]
    lines += [f"{name:12}{value:8.2f}" for name, value in speed.items()]
    lines += [f"  {name:26}{value:8.2f}" for name, value in result["other_images_per_second"].items()]
    lines.append(f"{result['times_full_frame']:.2f} times as fast as full frame (goal: 2.5 or more)")
    lines.append(f"{result['over_raw_parts']:.2f} times the time of the raw parts (goal: 1.15 or less)")
    lines.append("MB after each run: " + ", ".join(f"{n / 1e6:.0f}" for n in result["rss_bytes_after_each_run"]))
    lines.append(f"4288 x 2848 with 300 lesions: {result['large_picture_seconds']:.1f} s")
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark, or say why not."""
    parser = argparse.ArgumentParser(description="Speed and memory of removing lesions, beside OpenCV and Pillow.")
    parser.add_argument("data", nargs="?", type=Path, help="folder of folders with images/ and masks/")
    parser.add_argument("--images", type=int, default=6, help="at most so many of each folder")
    options = parser.parse_args()
    subjects = read_subjects(options.data, options.images) if options.data and options.data.is_dir() else []
    if not subjects:
        where = options.data or "no folder given"
        print(f"corrupt: skipped, {where}: needs folders with images/ and masks/ of the same stems", file=sys.stderr)
        return
    if hasattr(os, "sched_setaffinity"):  # not on macOS
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    machine = f"{platform.machine()}, Python {platform.python_version()}, one core"
    result = {"machine": machine, **measure(subjects), "large_picture_seconds": large_picture()}
    print(as_table(result), file=sys.stderr)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
