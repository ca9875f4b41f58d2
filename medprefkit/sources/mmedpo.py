"""Preference pairs in MMedPO's format: the rejected text is a model's answer, the chosen text what is known.

A pair's `weighted_score` says how plausible its rejected text is, which is nothing about its edits: it is not read.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import cast

from medprefkit.records import Dropped
from medprefkit.sources.admit import Draft, InvalidValueError, Outcome, admit, drafts_of, dropped, text_of
from medprefkit.sources.licences import MMEDPO, MmedpoSubset
from medprefkit.sources.rows import Row, kind_of, read_rows, source_file, source_folder

_IMAGE_TOKEN = re.compile(r"^<image>\n?|\n?<image>$")
_NOTES = re.compile(r"^\s*(?:question:|based on the provided)|\b(?:original|candidate) answer", re.IGNORECASE)
"""How the notes of whoever made a pair begin; in about 3 pairs in 100 of the released files they got into the text."""

_IU_PATIENT = re.compile(r"CXR\d+")


def read_mmedpo(
    root: Path, *, path: str, subset: MmedpoSubset, images: str | None = None, answer_model: str = "llava-med"
) -> Iterator[Outcome]:
    """Read pairs in MMedPO's format, one outcome a pair, in the file's order.

    Every text of the format starts with one space, the joint of its prompt and answer: that one is removed, and no
    other character of an answer. The `<image>` token is removed from the prompt. Ids repeat in files of this format:
    another pair under a known id gets the id with `.2`, `.3` ...; a pair that is there already is dropped. So is a pair
    whose chosen text holds its maker's notes; notes in an answer stay, as the model's words and an error to find.

    Args:
        root: The data root.
        path: A JSON list, or JSONL, of `id`, `image`, `conversations` and `rejected_conversations`.
        subset: The dataset that the pairs are made from: it sets the licence, the task and what a group is (for
            `iuxray` the patient, else the image).
        images: The folder of the images under the root; None to read the texts alone.
        answer_model: The model whose words the rejected texts are.

    Raises:
        SourceError: If the file or the folder is missing, or the file is not of the format.
    """
    table = read_rows(source_file(root, path))
    table.require("id", "image", "conversations", "rejected_conversations", setting="path")
    if images is not None:
        source_folder(root, images)
    make = partial(_draft, subset, images, answer_model)
    return admit(_renamed(drafts_of(table, MMEDPO[subset].name, make)), root)


def _draft(subset: MmedpoSubset, images: str | None, answer_model: str, row: Row) -> Draft:
    pair_id, image = text_of(row.values, "id"), text_of(row.values, "image")
    if not pair_id or not image:
        raise InvalidValueError("no id or no image; fill them")
    asked, chosen = _turns(row.values, "conversations")
    asked_again, rejected = _turns(row.values, "rejected_conversations")
    if asked != asked_again:
        raise InvalidValueError("the chosen and the rejected text answer different prompts; they are no pair")
    if _NOTES.search(chosen):
        raise InvalidValueError(f"the chosen text holds notes on how the pair was made, no reference: {chosen[:60]!r}")
    return Draft(
        where=row.where,
        id=f"{MMEDPO[subset].name}-{pair_id}",
        group_id=_group(subset, image),
        task="report" if subset == "iuxray" else "vqa",
        prompt=_IMAGE_TOKEN.sub("", asked),
        reference=chosen.removeprefix(" "),
        source=MMEDPO[subset],
        images=() if images is None else (str(PurePosixPath(images, image)),),
        answer=rejected.removeprefix(" "),
        answer_model=answer_model,
        modality="X-ray" if subset == "iuxray" else "",
    )


def _turns(values: Mapping[str, object], key: str) -> tuple[str, str]:
    """Return what the human asked and what the model said."""
    turns = values.get(key)
    if not isinstance(turns, list) or len(turns) != 2:
        said = f"{len(turns)} turns" if isinstance(turns, list) else kind_of(turns)
        raise InvalidValueError(f"{key!r} holds {said}, not one question and its answer")
    texts = [turn.get("value") if isinstance(turn, dict) else None for turn in turns]
    speakers = [turn.get("from") if isinstance(turn, dict) else None for turn in turns]
    if speakers != ["human", "gpt"] or not all(isinstance(text, str) for text in texts):
        raise InvalidValueError(f"{key!r} is not a turn of 'human' and one of 'gpt', each with a text in 'value'")
    return cast("str", texts[0]), cast("str", texts[1])


def _group(subset: MmedpoSubset, image: str) -> str:
    """Return the patient or image, named as the dataset's own reader does, so that one split holds for both."""
    if subset == "iuxray":
        patient = _IU_PATIENT.match(image)
        return f"iu_xray/{patient.group() if patient else image}"
    if subset == "slake":
        return f"slake/{PurePosixPath(image).parts[0]}"
    return f"vqa_rad/{PurePosixPath(image).stem}"


def _renamed(drafts: Iterator[Draft | Dropped]) -> Iterator[Draft | Dropped]:
    contents: dict[str, list[int]] = {}  # of each id, a hash of every different pair under it
    for draft in drafts:
        if isinstance(draft, Dropped):
            yield draft
            continue
        content = hash((draft.images, draft.group_id, draft.prompt, draft.reference, draft.answer))
        known = contents.setdefault(draft.id, [])
        if content in known:
            yield dropped(draft.id, "duplicate_id", f"{draft.where}: the pair {draft.id!r} stands more than once")
            continue
        known.append(content)
        yield draft if len(known) == 1 else replace(draft, id=f"{draft.id}.{len(known)}")
