"""What a row must have to become an `Example`; every reader's rows pass through here, and each has one outcome.

Images are resolved and decoded once each. Lesion masks are not opened, except where they choose the slice of a volume:
a pair of texts is good without its mask, so its fault is for `corrupt` to report; only one outside the data root
is refused.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, cast

from medprefkit.errors import ImageError
from medprefkit.images import ViewChoice, resolve, verify_image
from medprefkit.records import Dropped, DropReason, Example, Fault, ImageRef, MaskRef, Source, Task, View
from medprefkit.sources.rows import Row, Table, kind_of

Outcome = Example | Dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a reader found in one row; texts as the source wrote them, None where it has none.

    Attributes:
        where: File and line, for a message.
        choice: Which picture of files that could give several.
    """

    where: str
    id: str
    group_id: str
    task: Task
    prompt: str | None
    reference: str | None
    source: Source
    images: tuple[str, ...] = ()
    lesion_masks: tuple[MaskRef, ...] = ()
    answer: str | None = None
    answer_model: str = ""
    modality: str = ""
    choice: ViewChoice = field(default_factory=ViewChoice)


class InvalidValueError(Exception):
    """A value that is not what its column holds; its row is dropped as `row_invalid`."""


def drafts_of(table: Table, name: str, make: Callable[[Row], Draft | Dropped]) -> Iterator[Draft | Dropped]:
    """Make a draft of each row; a broken row and one that `make` refuses are dropped as `row_invalid`.

    Args:
        table: The source's rows.
        name: Stands with the row's number for the id that such a row has not got.
        make: Raises `InvalidValueError` for a value that it cannot use.
    """
    for row in table.rows:
        if isinstance(row, Row):
            try:
                outcome = make(row)
            except InvalidValueError as error:
                outcome = dropped(f"{name}-row-{row.number}", "row_invalid", f"{row.where}: {error}")
        else:
            outcome = dropped(f"{name}-row-{row.number}", "row_invalid", f"{row.where}: {row.problem}")
        yield outcome


def text_of(values: Mapping[str, object], column: str | None) -> str | None:
    """Return a cell as text; a number in its shortest form.

    Returns:
        None where `column` is None or the row does not hold it, for null and for NaN, pandas' null.

    Raises:
        InvalidValueError: If the cell holds a list, an object or a boolean.
    """
    value = values.get(column) if column is not None else None
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return None if value != value else str(value)  # NaN alone differs from itself
    raise InvalidValueError(f"column {column!r} holds {kind_of(value)}, not a text")


def dropped(record_id: str, reason: DropReason, detail: str) -> Dropped:
    """Return what is left of a row, its detail on one line; characters that UTF-8 cannot write are escaped."""
    readable = detail.encode("utf-8", "backslashreplace").decode("utf-8")
    return Dropped(id=record_id, stage="sources", reason=reason, detail=" ".join(readable.split()))


def admit(drafts: Iterable[Draft | Dropped], root: Path) -> Iterator[Outcome]:
    """Turn each draft into an `Example`, or a `Dropped` that says what is wrong and where.

    Memory grows with the ids and the images' names, nothing else.

    Args:
        drafts: In the order of the source; what the reader itself dropped passes through.
        root: The data root that image and mask paths are relative to.
    """
    gate = _Gate(root)
    for draft in drafts:
        yield gate.outcome(draft) if isinstance(draft, Draft) else draft


def refuse_duplicates(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """Pass on each example whose id is new among several sources; a later one is dropped as `duplicate_id`.

    Within one source `admit` has seen to it, and can name the row.
    """
    seen: set[str] = set()
    for outcome in outcomes:
        if isinstance(outcome, Example) and outcome.id in seen:
            detail = f"{outcome.source.name}: an earlier source has the id {outcome.id!r} too; make the ids differ"
            yield dropped(outcome.id, "duplicate_id", detail)
        else:
            if isinstance(outcome, Example):
                seen.add(outcome.id)
            yield outcome


class _Opened(NamedTuple):
    """An image file, which picture of it, and the masks by which a slice is chosen: what is opened once."""

    path: str
    choice: ViewChoice
    slices: tuple[MaskRef, ...]


def _opened(draft: Draft) -> list[tuple[str, _Opened]]:
    """Return every image's path and what of it is opened; masks are of the key only where they can matter."""
    found = []
    for index, path in enumerate(draft.images):
        volumes = tuple(
            mask
            for mask in draft.lesion_masks
            if mask.image_index == index and mask.path.lower().endswith((".nii", ".nii.gz", ".dcm", ".dicom"))
        )
        by_mask = draft.choice.frame in {None, "lesion"}
        found.append((path, _Opened(path, draft.choice, volumes if by_mask else ())))
    return found


class _Gate:
    """The checks of one source; remembers what became of each image, since many questions share one."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._faults: dict[_Opened, tuple[DropReason, str] | None] = {}
        self._views: dict[_Opened, View | None] = {}
        self._first_seen: dict[str, str] = {}

    def outcome(self, draft: Draft) -> Outcome:
        """Return the draft's example, or the first fault: texts before images, since they cost nothing to check."""
        fault = self._text_fault(draft) or self._id_fault(draft) or self._image_fault(draft)
        if fault is not None:
            reason, problem = fault
            drop_id = draft.id if _is_clean(draft.id) else ascii(draft.id)
            return dropped(drop_id, reason, f"{draft.where}: {problem}")
        return Example(
            id=draft.id,
            group_id=draft.group_id,
            task=draft.task,
            prompt=draft.prompt or "",
            reference=draft.reference or "",
            images=tuple(ImageRef(path=path, view=self._views[key]) for path, key in _opened(draft)),
            lesion_masks=draft.lesion_masks,
            answer=draft.answer,
            answer_model=draft.answer_model,
            modality=draft.modality,
            source=draft.source,
        )

    def _text_fault(self, draft: Draft) -> tuple[Fault, str] | None:
        texts = {
            "id": draft.id,
            "group": draft.group_id,
            "prompt": draft.prompt,
            "reference": draft.reference,
            "answer": draft.answer,
            "modality": draft.modality,
            "path": "".join([*draft.images, *(mask.path for mask in draft.lesion_masks)]),
        }
        for name, text in texts.items():
            if text is not None and not _is_clean(text):
                problem = "holds a NUL or characters that are not UTF-8; save the file as UTF-8"
                return "text_invalid", f"the {name} {problem}"
        for name in ("id", "group"):
            if not (texts[name] or "").strip():
                return "row_invalid", f"the {name} is empty; fill it or leave its column out of the settings"
        if not (draft.prompt or "").strip():
            return "prompt_missing", "no prompt; fill it or set one prompt for all rows"
        if not (draft.reference or "").strip():
            return "reference_missing", "no reference to check an answer against; fill it or leave the row out"
        if draft.answer is not None and not draft.answer.strip():
            return "answer_empty", f"the answer is {draft.answer!r}; nothing can be checked in it"
        return None

    def _id_fault(self, draft: Draft) -> tuple[Fault, str] | None:
        first = self._first_seen.setdefault(draft.id, draft.where)
        if first is not draft.where:
            return "duplicate_id", f"the id {draft.id!r} stands already in {first}; the first is kept"
        return None

    def _image_fault(self, draft: Draft) -> tuple[DropReason, str] | None:
        for mask in draft.lesion_masks:
            if not 0 <= mask.image_index < len(draft.images):
                problem = f"the mask {mask.path!r} belongs to image {mask.image_index + 1} of {len(draft.images)}"
                return "row_invalid", f"{problem}; give each mask its image"
        for _, opened in _opened(draft):
            if opened not in self._faults:
                self._faults[opened] = self._open(opened)
            if (fault := self._faults[opened]) is not None:
                return fault
        for mask in draft.lesion_masks:
            try:
                if mask.path:
                    resolve(self._root, mask.path, kind="mask")
            except ImageError as error:
                if error.reason == "image_outside_root":  # any other fault is `corrupt`'s to report
                    return "image_outside_root", str(error)
        return None

    def _file_of(self, mask: MaskRef) -> Path | None:
        """Return a mask's file where there is one inside the root; what is wrong otherwise is said elsewhere."""
        try:
            return resolve(self._root, mask.path, kind="mask")
        except ImageError:
            return None

    def _open(self, opened: _Opened) -> tuple[DropReason, str] | None:
        try:
            masks = [(path, mask.classes) for mask in opened.slices if (path := self._file_of(mask)) is not None]
            self._views[opened] = verify_image(resolve(self._root, opened.path), opened.choice, masks).view
        except ImageError as error:
            return cast("DropReason", error.reason), str(error)
        return None


def _is_clean(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # lone surrogates
        return False
    return "\0" not in text
