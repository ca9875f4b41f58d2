"""How well a bag of words tells chosen from rejected: what a model could learn without a picture or a question."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from medprefkit.audit.texts import words

MIN_PAIRS = 40
_FOLDS = 5
_MAX_PAIRS = 20_000
_SHOWN_WORDS = 12


class Separability(NamedTuple):
    """Cross-validated.

    Attributes:
        accuracy: Share of pairs whose chosen text gets the higher score, from words of other groups' pairs alone; a
            tie counts half. 0.5 tells nothing.
        telling_chosen: Words that speak for the chosen text, the most telling first, with their weight.
        telling_rejected: Likewise for the rejected one.
        n_pairs: Pairs that were looked at.
    """

    accuracy: float
    telling_chosen: tuple[tuple[str, float], ...]
    telling_rejected: tuple[tuple[str, float], ...]
    n_pairs: int


def bag_of_words(chosen: Sequence[str], rejected: Sequence[str], groups: Sequence[str]) -> Separability | None:
    """Fit on what is in one text and not in the other, and judge pairs of groups that were not fitted on.

    Args:
        chosen: Texts.
        rejected: Texts, in the same order.
        groups: What must not be on both sides of a fold: the patient, the picture or the question.

    Returns:
        None for fewer than `MIN_PAIRS` pairs or five groups; the first 20,000 pairs are looked at.
    """
    chosen, rejected, groups = chosen[:_MAX_PAIRS], rejected[:_MAX_PAIRS], groups[:_MAX_PAIRS]
    if len(chosen) < MIN_PAIRS or len(set(groups)) < _FOLDS:
        return None
    vectorizer = CountVectorizer(tokenizer=words, token_pattern=None, lowercase=False, binary=True, min_df=3)
    try:
        vectorizer.fit([*chosen, *rejected])
    except ValueError:  # no word comes three times
        return None
    difference = (vectorizer.transform(chosen).astype(np.int8) - vectorizer.transform(rejected).astype(np.int8)).tocsr()
    signs = np.where(np.arange(len(chosen)) % 2 == 0, 1, -1)  # half of the pairs turned round: both labels occur
    turned = difference.multiply(signs[:, None]).tocsr()
    scores = np.zeros(len(chosen))
    for fitted, judged in GroupKFold(_FOLDS).split(difference, groups=list(groups)):
        model = LogisticRegression(fit_intercept=False, C=0.5, max_iter=500).fit(turned[fitted], signs[fitted])
        scores[judged] = difference[judged] @ model.coef_[0]
    accuracy = float(((scores > 0) + 0.5 * (scores == 0)).mean())
    weights = LogisticRegression(fit_intercept=False, C=0.5, max_iter=500).fit(turned, signs).coef_[0]
    names = vectorizer.get_feature_names_out()
    order = np.argsort(weights)
    return Separability(
        accuracy,
        tuple((str(names[i]), float(weights[i])) for i in order[::-1][:_SHOWN_WORDS] if weights[i] > 0),
        tuple((str(names[i]), float(-weights[i])) for i in order[:_SHOWN_WORDS] if weights[i] < 0),
        len(chosen),
    )
