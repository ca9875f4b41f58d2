"""Lesion masks from boxes by a SAM-type model of transformers, each kept in the run, so that none is paid for twice.

Any model that `AutoModelForMaskGeneration` loads and that takes boxes: SAM, SAM 2, SAM-HQ, MedSAM's weights in SAM's
form. Code from the Hub is never run. Nothing is loaded before the first box that is not kept already.
"""

import functools
import hashlib
import itertools
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from transformers import AutoModelForMaskGeneration

from medprefkit.annotations import Box, FillBox, fill_ellipse
from medprefkit.errors import ModelError
from medprefkit.models.fingerprint import model_name, model_revision
from medprefkit.models.loading import load_processor, quiet
from medprefkit.protocols import Image, Mask

FOLDER = "corrupt/boxes"
"""Where the masks are kept, below the run directory."""

_LEAST_SHARE = 0.05
"""Of a box: a smaller mask says that the model saw nothing in it, and the ellipse stands for it."""


class _Wanted(NamedTuple):
    """A box whose mask is not kept yet."""

    box: Box
    kept: Path


class SamRegions:
    """What a SAM-type model sees in each box, cut at the box; the ellipse where it sees next to nothing.

    Satisfies `imaging.boxes.BoxRegions`. The same model, pixels and box give the same kept mask.
    """

    def __init__(self, *, model: str, run_dir: Path, device: str | None = None, batch_size: int = 4) -> None:
        """Name the model; it is loaded with the first box.

        Args:
            model: Folder or Hub name.
            run_dir: The run, which keeps the masks.
            device: As torch names it; None for the first GPU where there is one.
            batch_size: Images a forward pass.

        Raises:
            ModelError: If the model cannot be found.
        """
        self._path = model
        self._folder = run_dir / FOLDER
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._batch_size = batch_size
        self._identity = f"{model_name(model)}@{model_revision(model)}"

    def prepare(self, pictures: Iterable[tuple[Image, Sequence[Box]]]) -> None:
        """Segment and keep every box that is not kept, in batches of images.

        Raises:
            ModelError: If the model cannot be loaded or does not take boxes.
        """
        for batch in _batches(self._missing(pictures), self._batch_size):
            self._segment(batch)

    def fill_for(self, image: Image) -> FillBox:
        """Return what looks a box's mask up, and segments it first where it is not kept."""
        return functools.partial(self._fill, image)

    def _fill(self, image: Image, box: Box, shape: tuple[int, int]) -> Mask:
        kept = self._kept(_digest(image), box)
        if not kept.is_file():
            self._segment([(image, [_Wanted(box, kept)])])
        mask: Mask = cv2.imread(str(kept), cv2.IMREAD_GRAYSCALE) > 0
        if mask.shape != shape:
            raise ModelError(f"{kept.name} in {FOLDER} is of another size than its image; delete it")
        return mask

    def _missing(self, pictures: Iterable[tuple[Image, Sequence[Box]]]) -> Iterator[tuple[Image, list[_Wanted]]]:
        for image, boxes in pictures:
            digest = _digest(image)
            wanted = [_Wanted(box, kept) for box in boxes if not (kept := self._kept(digest, box)).is_file()]
            if wanted:
                yield image, wanted

    def _kept(self, image_digest: str, box: Box) -> Path:
        named = hashlib.blake2b(f"{self._identity}/{image_digest}/{box}".encode(), digest_size=12)
        return self._folder / f"{named.hexdigest()}.png"

    @functools.cached_property
    def _processor(self) -> Any:
        return load_processor(self._path)

    @functools.cached_property
    def _model(self) -> Any:
        try:
            with quiet():
                model = AutoModelForMaskGeneration.from_pretrained(self._path, dtype=torch.float32)
        except (ImportError, OSError, ValueError, KeyError, RuntimeError) as error:
            told = " ".join(str(error).split())[:200]
            raise ModelError(f"{self._path!r} cannot be loaded as a SAM-type model ({told}); check its name") from error
        return model.to(self._device).eval()

    def _segment(self, batch: Sequence[tuple[Image, list[_Wanted]]]) -> None:
        model = self._model  # before anything is asked of a processor that may be another kind's
        # every image of a forward pass has as many boxes: the last is repeated, and its repeats thrown away
        n_boxes = max(len(wanted) for _, wanted in batch)
        corners = [
            [_corners(one.box) for one in (*wanted, *[wanted[-1]] * (n_boxes - len(wanted)))] for _, wanted in batch
        ]
        pictures = [Pillow.fromarray(image) for image, _ in batch]
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of transformers' processors about their own arguments
            inputs = self._processor(images=pictures, input_boxes=corners, return_tensors="pt").to(self._device)
            sizes = {key: inputs.pop(key) for key in ("original_sizes", "reshaped_input_sizes") if key in inputs}
            try:
                found = model(**inputs, multimask_output=False).pred_masks
            except (TypeError, ValueError, RuntimeError) as error:
                told = " ".join(str(error).split())[:200]
                raise ModelError(f"{self._path!r} does not segment boxes ({told}); name another model") from error
            masks = self._processor.post_process_masks(found.cpu(), **{key: size.cpu() for key, size in sizes.items()})
        for (image, wanted), of_image in zip(batch, masks, strict=True):
            for one, mask in zip(wanted, of_image, strict=False):
                self._keep(one, mask[0].numpy() > 0, (image.shape[0], image.shape[1]))

    def _keep(self, wanted: _Wanted, mask: NDArray[np.bool_], shape: tuple[int, int]) -> None:
        """Write under a temporary name and rename, so that a killed run leaves no half mask under a final name."""
        rows, columns = _slices(wanted.box, shape)
        inside = np.zeros(shape, np.bool_)
        inside[rows, columns] = mask[rows, columns]
        if np.count_nonzero(inside) < _LEAST_SHARE * wanted.box[2] * wanted.box[3]:
            inside = fill_ellipse(wanted.box, shape)
        self._folder.mkdir(parents=True, exist_ok=True)
        written, buffer = cv2.imencode(".png", inside.astype(np.uint8) * 255)
        if not written:
            raise ValueError(f"OpenCV cannot write a mask of {shape}")
        temporary = wanted.kept.with_suffix(".tmp")
        temporary.write_bytes(bytes(buffer))
        temporary.replace(wanted.kept)


def _batches(pictures: Iterator[tuple[Image, list[_Wanted]]], size: int) -> Iterator[list[tuple[Image, list[_Wanted]]]]:
    while batch := list(itertools.islice(pictures, size)):
        yield batch


def _digest(image: Image) -> str:
    digest = hashlib.blake2b(f"{image.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def _corners(box: Box) -> list[float]:
    left, top, width, height = box
    return [left, top, left + width, top + height]


def _slices(box: Box, shape: tuple[int, int]) -> tuple[slice, slice]:
    left, top, width, height = box
    return (
        slice(max(0, int(np.floor(top))), min(shape[0], int(np.ceil(top + height)))),
        slice(max(0, int(np.floor(left))), min(shape[1], int(np.ceil(left + width)))),
    )
