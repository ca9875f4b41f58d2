"""The NER detector with a pipeline made on the spot."""

from pathlib import Path

import pytest
import spacy

from medprefkit.detect.ner import NerDetector
from medprefkit.errors import RecipeError
from medprefkit.records import Passage


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "DISEASE", "pattern": p} for p in ("pleural effusion", "Kartagener syndrome")])
    path = tmp_path_factory.mktemp("model")
    nlp.to_disk(path)
    return path


def test_entities_take_the_lexicons_concepts_and_the_same_scopes(pipeline: Path) -> None:
    text = "There is no pleural effusion. There is evidence of Kartagener syndrome. The heart is enlarged. No mass."
    (claims,) = NerDetector(model=str(pipeline))([Passage(id="p", prompt="", text=text)])
    assert [(c.concept, c.kind, c.polarity, c.phrase.text) for c in claims] == [
        ("pleural_effusion", "finding", "denied", "no pleural effusion"),
        ("kartagener syndrome", "other", "affirmed", "evidence of Kartagener syndrome"),
        ("cardiomegaly", "finding", "affirmed", "enlarged"),
    ]


def test_a_missing_model_is_one_line_that_says_what_to_install() -> None:
    with pytest.raises(RecipeError, match=r"'en_no_such_model'.*pip install") as error:
        NerDetector(model="en_no_such_model")
    assert "\n" not in str(error.value)


def test_an_empty_text_has_no_claims(pipeline: Path) -> None:
    assert NerDetector(model=str(pipeline))([Passage(id="p", prompt="", text="")]) == [()]
