import pytest

from medprefkit.generate.scripted import Scripted
from medprefkit.records import Answer, Dropped, Example, Source


def example(answer: str | None, model: str = "") -> Example:
    return Example(
        id="x", group_id="x", task="vqa", prompt="?", reference="No", answer=answer, answer_model=model,
        source=Source(name="s", licence="CC0-1.0"),
    )  # fmt: skip


def test_words_are_handed_on_byte_for_byte() -> None:
    text = " Yes,\r\n a\u0301 mass\u200d.\t"
    assert Scripted(model="fallback")([example(text, "llava"), example(text)]) == [
        Answer(id="x", text=text, model="llava"),
        Answer(id="x", text=text, model="fallback"),
    ]


@pytest.mark.parametrize(
    ("answer", "reason"), [(None, "answer_missing"), ("", "answer_empty"), (" \n", "answer_empty")]
)
def test_without_words_there_is_a_reason(answer: str | None, reason: str) -> None:
    (drop,) = Scripted()([example(answer)])
    assert isinstance(drop, Dropped)
    assert (drop.stage, drop.reason, drop.id) == ("generate", reason, "x")
