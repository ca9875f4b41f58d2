"""The stage: an example's images and masks from disk, the corrupted images to disk, one record or `Dropped` a case."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from medprefkit.annotations import Box
from medprefkit.corrupt.apply import Corrupted, apply_corruption
from medprefkit.corrupt.claimed import claimed_masks
from medprefkit.errors import ImageError, RecipeError
from medprefkit.images import boxes_of_refs, encode_png, is_grey, read_lesion, read_ref
from medprefkit.imaging.boxes import BoxRegions, Ellipses
from medprefkit.protocols import Corruption, Image
from medprefkit.records import Case, CorruptedImage, Dropped, DropReason, Example, ImageRef, MaskRef, Region
from medprefkit.seeds import rng_for

FOLDER = "corrupt/images"
"""Where the images lie, below the run directory."""


class _Pictures(NamedTuple):
    """One image of an example: clean as read, and what the corruption made of it; None for one without a mask."""

    clean: Image
    result: Corrupted | None


class CorruptStep:
    """Case with lesion masks -> CorruptedImage.

    Every image of the example has one clean copy and one corrupted image, in order; one without a mask is its own
    corrupted image. Controls are written for all or for none. All files of an image are encoded alike, see `images`.
    """

    def __init__(
        self,
        *,
        corruption: Corruption,
        name: str,
        data_root: Path,
        run_dir: Path,
        run_seed: int,
        control: bool = True,
        max_lesion_share: float = 0.5,
        min_lesion_px: int = 4,
        regions: BoxRegions | None = None,
        lesions: Literal["all", "claimed"] = "all",
    ) -> None:
        """Prepare to write into `run_dir`.

        Args:
            corruption: A dataclass whose fields are its options; they go into every record.
            name: The name that it is registered by.
            data_root: What the examples' paths are relative to.
            run_dir: What the records' paths are relative to.
            run_seed: With an example's id it decides every random choice.
            control: Also write the same corruption on healthy tissue, where there is room for it.
            max_lesion_share: Lesion pixels over image pixels above which an image is refused.
            min_lesion_px: A smaller mask is refused as empty.
            regions: Makes regions of masks that are boxes; ellipses where None.
            lesions: All of an example's masks, or those of what its lesion-linked edits speak of, see `claimed`.

        Raises:
            RecipeError: If the corruption is no dataclass.
        """
        self._corruption = corruption
        self._name = name
        self._options = _options_of(corruption, name)
        self._data_root = data_root
        self._run_dir = run_dir
        self._run_seed = run_seed
        self._control = control
        self._max_lesion_share = max_lesion_share
        self._min_lesion_px = min_lesion_px
        self._regions = regions or Ellipses()
        self._lesions = lesions

    def __call__(self, batch: Sequence[Case]) -> list[CorruptedImage | Dropped]:
        """Corrupt every example of the batch; what a file or a limit refuses is dropped with the reason."""
        self._regions.prepare(self._boxed(batch))
        return [self._outcome(case) for case in batch]

    def without_lesion(self, example: Example) -> tuple[Image, ...]:
        """Return the example's images as this stage will leave them, in order; nothing is written.

        Raises:
            ImageError: Where the stage would drop the example.
        """
        return tuple(p.clean if p.result is None else p.result.image for p in self._corrupt(example))

    def _outcome(self, case: Case) -> CorruptedImage | Dropped:
        example = case.example
        try:
            if self._lesions == "claimed":
                example = example.model_copy(update={"lesion_masks": claimed_masks(case)})
            pictures = self._corrupt(example)
        except ImageError as error:
            return Dropped(
                id=example.id,
                stage="corrupt",
                reason=cast("DropReason", error.reason),
                detail=" ".join(str(error).split()),
            )
        return self._record(example, pictures)

    def _corrupt(self, example: Example) -> list[_Pictures]:
        rng = rng_for(self._run_seed, "corrupt", example.id)
        pictures = []
        for index, ref in enumerate(example.images):
            clean = read_ref(self._data_root, ref)
            masks = _masks_of(example, index)
            result = None
            if masks:
                result = apply_corruption(
                    clean,
                    read_lesion(self._data_root, ref, masks, clean, self._regions),
                    _at_spacing(self._corruption, ref),
                    rng,
                    control=self._control,
                    max_lesion_share=self._max_lesion_share,
                    min_lesion_px=self._min_lesion_px,
                )
            pictures.append(_Pictures(clean, result))
        if all(picture.result is None for picture in pictures):
            raise ImageError("mask_missing", "none of its images has a lesion mask; nothing to corrupt")
        return pictures

    def _boxed(self, batch: Sequence[Case]) -> Iterator[tuple[Image, list[Box]]]:
        """Yield the images of which a mask is a box; one that cannot be read is left to `_outcome` to report."""
        for case in batch:
            for index, ref in enumerate(case.example.images):
                try:
                    boxes = boxes_of_refs(self._data_root, ref, _masks_of(case.example, index))
                    pixels = read_ref(self._data_root, ref) if boxes else None
                except ImageError:
                    continue
                if pixels is not None:
                    yield pixels, boxes

    def _record(self, example: Example, pictures: Sequence[_Pictures]) -> CorruptedImage:
        results = [picture.result for picture in pictures if picture.result is not None]
        n_pixels = sum(result.region.size for result in results)
        box = results[0].box
        clean: list[ImageRef] = []
        corrupted: list[ImageRef] = []
        control: list[ImageRef] = []
        has_control = all(result.control is not None for result in results)
        for index, (image, result) in enumerate(pictures):
            grey = is_grey(image)
            stem = f"{hashlib.blake2b(example.id.encode(), digest_size=10).hexdigest()}-{index}"
            clean.append(self._write(f"{stem}-clean", image, grey=grey))
            if result is None:
                corrupted.append(clean[-1])
                control.append(clean[-1])
                continue
            corrupted.append(self._write(f"{stem}-corrupted", result.image, grey=grey))
            if has_control and result.control is not None:
                control.append(self._write(f"{stem}-control", result.control.image, grey=grey))
        return CorruptedImage(
            id=example.id,
            clean=tuple(clean),
            corrupted=tuple(corrupted),
            control=tuple(control) if has_control else (),
            no_control="; ".join(dict.fromkeys(result.no_control for result in results if result.no_control)),
            name=self._name,
            options=self._options,
            seed=self._run_seed,
            lesion_share=sum(result.lesion_share * result.region.size for result in results) / n_pixels,
            changed_share=sum(result.changed_share * result.region.size for result in results) / n_pixels,
            region=Region(left_px=box.left_px, top_px=box.top_px, right_px=box.right_px, bottom_px=box.bottom_px),
        )

    def _write(self, stem: str, image: Image, *, grey: bool) -> ImageRef:
        """Write under a temporary name and rename, so that a killed run leaves no half image under a final name."""
        path = self._run_dir / FOLDER / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(encode_png(image, grey=grey))
        temporary.replace(path)
        return ImageRef(path=f"{FOLDER}/{stem}.png")


def _masks_of(example: Example, image_index: int) -> list[MaskRef]:
    return [mask for mask in example.lesion_masks if mask.image_index == image_index]


def _at_spacing(corruption: Corruption, ref: ImageRef) -> Corruption:
    """Tell a corruption that counts in millimetres how large this image's pixels are, where its file says it.

    Of pixels that are not square the shorter side counts: a margin is rather too wide than too narrow.
    """
    spacing = ref.view.spacing_mm if ref.view is not None else None
    if spacing is None or "spacing_mm" not in {field.name for field in dataclasses.fields(cast("Any", corruption))}:
        return corruption
    return cast("Corruption", dataclasses.replace(cast("Any", corruption), spacing_mm=min(spacing)))


def _options_of(corruption: object, name: str) -> str:
    """Return the options as canonical JSON."""
    if not dataclasses.is_dataclass(corruption) or isinstance(corruption, type):
        raise RecipeError(f"corruption {name!r} is no dataclass, so its options cannot be recorded; make it one")
    return json.dumps(dataclasses.asdict(corruption), sort_keys=True, separators=(",", ":"))
