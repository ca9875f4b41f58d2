"""The layouts: one row of each format becomes a pair, and how to tell a format by its columns.

Columns as documented in mid-2026: TRL's dataset formats, LLaMA-Factory's data README (alpaca and sharegpt with
`ranking`), ms-swift's custom datasets, RRPO's docs/DATA.md, LLaVA-style pairs as MMedPO and POVID release them, RLHF-V.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

from medprefkit.formats.pair import FormatName, FormatPair, Mark, Picture, Role, Turn

Values = Mapping[str, Any]
FindPicture = Callable[[object], Picture]

_ROLES: Mapping[str, Role] = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system",
}  # fmt: skip
_ID_COLUMNS = ("id", "sample_id", "idx")
_IMAGE_TOKEN = re.compile(r"<image>\n?|\n?<image>")
_TAG = re.compile(r"<MASK> ?| ?</MASK>")


class LayoutError(ValueError):
    """A row that is not of the format; says what is missing or wrong in it."""


def format_of(columns: Collection[str]) -> FormatName | None:
    """Tell a format by its columns; None for none of them. MMedPO's and LLaVA's differ by the score alone."""
    have = set(columns)
    signs: tuple[tuple[FormatName, set[str]], ...] = (
        ("medprefkit", {"prompt", "chosen", "rejected", "chosen_spans", "provenance"}),
        ("jsonl", {"prompt", "chosen", "rejected", "chosen_marks", "rejected_marks"}),
        ("rrpo", {"question", "answer", "pred"}),
        ("mmedpo", {"conversations", "rejected_conversations", "weighted_score"}),
        ("llava", {"conversations", "rejected_conversations"}),
        ("ms-swift", {"messages", "rejected_response"}),
        ("ms-swift", {"messages", "rejected_messages"}),
        ("llamafactory", {"conversations", "chosen", "rejected"}),
        ("llamafactory", {"instruction", "chosen", "rejected"}),
        ("rlhfv", {"question", "chosen", "rejected"}),
        ("rlhfv", {"image", "text", "origin_dataset"}),
        ("trl", {"chosen", "rejected"}),
    )
    return next((name for name, needed in signs if needed <= have), None)


def pair_of(name: FormatName, values: Values, find: FindPicture, *, where: str, split: str) -> FormatPair:
    """Read one row.

    Args:
        name: The row's format.
        values: Column -> value.
        find: Makes a picture of what stands for one in a row: a path, or {"bytes", "path"}.
        where: File and row.
        split: Of the set.

    Raises:
        LayoutError: If the row is not of the format.
    """
    fields = _READERS[name](values, find)
    named = (values[key] for key in _ID_COLUMNS if values.get(key) not in (None, ""))
    row_id = next(named, where)
    fields.setdefault("group_id", str(values.get("group_id") or ""))
    return FormatPair(where=where, id=str(row_id), split=str(values.get("split") or split), **fields)


def _ours(values: Values, find: FindPicture) -> dict[str, Any]:
    return {
        "prompt": _messages(values["prompt"]),
        "chosen": _last_answer(values["chosen"]),
        "rejected": _last_answer(values["rejected"]),
        "images": _pictures(values.get("images"), find),
        "corrupted": _pictures(values.get("corrupted_images"), find),
        "control": _pictures(values.get("control_images"), find),
        "weight": values["weight"],
        "chosen_marks": _marks(values["chosen_spans"]),
        "rejected_marks": _marks(values["rejected_spans"]),
        "error_types": tuple(str(span["error_type"]) for span in values["rejected_spans"]),
    }


def _jsonl(values: Values, find: FindPicture) -> dict[str, Any]:
    return {
        "prompt": _messages(values["prompt"]),
        "chosen": _text(values, "chosen"),
        "rejected": _text(values, "rejected"),
        "images": _pictures(values.get("images"), find),
        "corrupted": _pictures(values.get("corrupted_images"), find),
        "control": _pictures(values.get("control_images"), find),
        "weight": values.get("weight"),
        "chosen_marks": _marks(values["chosen_marks"]),
        "rejected_marks": _marks(values["rejected_marks"]),
    }


def _trl(values: Values, find: FindPicture) -> dict[str, Any]:
    pictures = _pictures(values.get("images") or values.get("image"), find)
    chosen, rejected = values["chosen"], values["rejected"]
    if isinstance(chosen, str) and isinstance(rejected, str):
        prompt = values.get("prompt")
        turns = _messages(prompt) if isinstance(prompt, list) else (Turn("user", _plain(prompt or "")),)
        return {"prompt": turns, "chosen": chosen, "rejected": rejected, "images": pictures}
    before = _messages(values["prompt"]) if values.get("prompt") else _messages(chosen)[:-1]
    return {"prompt": before, "chosen": _last_answer(chosen), "rejected": _last_answer(rejected), "images": pictures}


def _llamafactory(values: Values, find: FindPicture) -> dict[str, Any]:
    if "conversations" in values:
        prompt = _conversation(values["conversations"])
        if values.get("system"):
            prompt = (Turn("system", str(values["system"])), *prompt)
        chosen, rejected = (_said(values[side]) for side in ("chosen", "rejected"))
    else:
        asked = "\n".join(part for part in (values["instruction"], values.get("input")) if part)
        history = [turn for pair in values.get("history") or [] for turn in _exchange(pair)]
        system = [Turn("system", str(values["system"]))] if values.get("system") else []
        prompt = (*system, *history, Turn("user", _plain(asked)))
        chosen, rejected = _text(values, "chosen"), _text(values, "rejected")
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, "images": _pictures(values.get("images"), find)}


def _ms_swift(values: Values, find: FindPicture) -> dict[str, Any]:
    messages = _messages(values["messages"])
    if not messages or messages[-1].role != "assistant":
        raise LayoutError("the last of `messages` is not the assistant's, which is the chosen answer")
    rejected = values.get("rejected_response")
    if not isinstance(rejected, str):
        rejected = _last_answer(values.get("rejected_messages") or [])
    return {
        "prompt": messages[:-1],
        "chosen": messages[-1].text,
        "rejected": rejected,
        "images": _pictures(values.get("images"), find),
        "corrupted": _pictures(values.get("rejected_images"), find),
    }


def _rrpo(values: Values, find: FindPicture) -> dict[str, Any]:
    answer, pred = _text(values, "answer"), _text(values, "pred")
    return {
        "prompt": (Turn("user", _plain(_text(values, "question"))),),
        "chosen": answer,
        "rejected": pred,
        "images": _pictures(values.get("image") or values.get("video"), find),
        "chosen_marks": _tagged(values.get("answer_masked"), answer, "answer_masked"),
        "rejected_marks": _tagged(values.get("pred_masked"), pred, "pred_masked"),
    }


def _llava(values: Values, find: FindPicture) -> dict[str, Any]:
    chosen, rejected = _conversation(values["conversations"]), _conversation(values["rejected_conversations"])
    if not chosen or not rejected or chosen[-1].role != "assistant" or rejected[-1].role != "assistant":
        raise LayoutError("a conversation does not end with the model's answer")
    weight = values.get("weighted_score")
    return {
        "prompt": chosen[:-1],
        "chosen": chosen[-1].text,
        "rejected": rejected[-1].text,
        "images": _pictures(values.get("image"), find),
        "corrupted": _pictures(values.get("rejected_image"), find),
        "weight": float(weight) if isinstance(weight, int | float) else None,
    }


def _mmedpo(values: Values, find: FindPicture) -> dict[str, Any]:
    """As LLaVA's, without the one space that joins prompt and answer in every released text."""
    fields = _llava(values, find)
    return {**fields, **{side: fields[side].removeprefix(" ") for side in ("chosen", "rejected")}}


def _rlhfv(values: Values, find: FindPicture) -> dict[str, Any]:
    said = values
    if "question" not in values:
        try:
            said = json.loads(values["text"]) if isinstance(values["text"], str) else values["text"]
        except ValueError as error:
            raise LayoutError("`text` is not JSON of question, chosen and rejected") from error
    return {
        "prompt": (Turn("user", _plain(_text(said, "question"))),),
        "chosen": _text(said, "chosen"),
        "rejected": _text(said, "rejected"),
        "images": _pictures(values.get("image") or values.get("image_path"), find),
    }


_READERS: Mapping[FormatName, Callable[[Values, FindPicture], dict[str, Any]]] = {
    "medprefkit": _ours,
    "jsonl": _jsonl,
    "trl": _trl,
    "llamafactory": _llamafactory,
    "ms-swift": _ms_swift,
    "rrpo": _rrpo,
    "llava": _llava,
    "mmedpo": _mmedpo,
    "rlhfv": _rlhfv,
}


def _messages(value: object) -> tuple[Turn, ...]:
    """Read messages of role and content; content is a text, or a list of typed parts."""
    if not isinstance(value, list):
        raise LayoutError("messages are not a list of {role, content}")
    return tuple(_turn(message, "role", "content") for message in value)


def _conversation(value: object) -> tuple[Turn, ...]:
    if not isinstance(value, list):
        raise LayoutError("a conversation is not a list of {from, value}")
    return tuple(_turn(message, "from", "value") for message in value)


def _turn(message: object, role_key: str, text_key: str) -> Turn:
    if not isinstance(message, Mapping) or message.get(role_key) not in _ROLES:
        raise LayoutError(f"a message without a known {role_key!r}: {str(message)[:60]}")
    content = message.get(text_key)
    if isinstance(content, Sequence) and not isinstance(content, str):
        parts = cast("Sequence[Mapping[str, Any]]", content)
        content = "".join(str(part.get("text") or "") for part in parts if part.get("type") == "text")
    if not isinstance(content, str):
        raise LayoutError(f"a message without a text in {text_key!r}")
    role = _ROLES[message[role_key]]
    return Turn(role, content if role == "assistant" else _plain(content))


def _exchange(pair: object) -> tuple[Turn, Turn]:
    if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
        raise LayoutError("`history` is not a list of [question, answer]")
    return Turn("user", _plain(str(pair[0]))), Turn("assistant", str(pair[1]))


def _said(message: object) -> str:
    return message if isinstance(message, str) else _turn(message, "from", "value").text


def _last_answer(value: object) -> str:
    turns = _messages(value)
    if not turns or turns[-1].role != "assistant":
        raise LayoutError("an answer does not end with the assistant's message")
    return turns[-1].text


def _text(values: Values, key: str) -> str:
    value = values.get(key)
    if not isinstance(value, str):
        raise LayoutError(f"{key!r} holds no text")
    return value


def _plain(text: str) -> str:
    return _IMAGE_TOKEN.sub("", text)


def _pictures(value: object, find: FindPicture) -> tuple[Picture, ...]:
    if value is None or value == "":
        return ()
    return tuple(find(item) for item in value) if isinstance(value, list) else (find(value),)


def _marks(spans: Sequence[Mapping[str, Any]]) -> tuple[Mark, ...]:
    return tuple(Mark(*(span.get(name) for name in Mark._fields)) for span in spans)  # type: ignore[arg-type]  # as stored


def _tagged(tagged: object, text: str, column: str) -> tuple[Mark, ...]:
    """Find the phrases between `<MASK>` and `</MASK>`; the blank inside a tag belongs to it."""
    if not isinstance(tagged, str) or not tagged:
        return ()
    marks: list[Mark] = []
    opened, cursor, last = None, 0, 0
    for tag in _TAG.finditer(tagged):
        cursor += tag.start() - last
        last = tag.end()
        if (opened is None) != tag.group().startswith("<MASK>"):
            raise LayoutError(f"{column!r} has a tag without its partner")
        if opened is None:
            opened = cursor
        else:
            marks.append(Mark(opened, cursor, len(marks) + 1))
            opened = None
    if opened is not None or _TAG.sub("", tagged) != text:
        raise LayoutError(f"{column!r} without its tags is not the answer beside it")
    return tuple(marks)
