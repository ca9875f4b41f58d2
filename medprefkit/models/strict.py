"""Reading a reply that has to be JSON of one form: all of it fits, or the failure has a name."""

import re
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from medprefkit.models.requests import Failure, Outcome

Form = TypeVar("Form", bound=BaseModel)

_FENCE = re.compile(r"```(?:json)?\s*\n(.*)\n\s*```", re.DOTALL)
"""A code fence around the whole reply, which chat models like to add; anything else beside the JSON is a failure."""


class Unread(NamedTuple):
    """What is wrong with a reply.

    Attributes:
        reason: `call_refused`, `call_failed`, `reply_malformed`, `reply_truncated`, `reply_filtered`,
            `reply_not_json` or `reply_not_the_schema`.
        detail: The particulars, if there are any.
    """

    reason: str
    detail: str = ""


def read_json(outcome: Outcome, form: type[Form]) -> Form | Unread:
    """Return what a reply says, or what is wrong with it."""
    if isinstance(outcome, Failure):
        return Unread(outcome.reason, outcome.detail)
    if outcome.finish_reason != "stop":
        return Unread("reply_truncated" if outcome.finish_reason == "length" else "reply_filtered")
    text = outcome.text.strip()
    fenced = _FENCE.fullmatch(text)
    try:
        return form.model_validate_json(fenced.group(1) if fenced is not None else text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            return Unread("reply_not_json")
        return Unread("reply_not_the_schema", f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
