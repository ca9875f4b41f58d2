"""The card of a trained checker: what it reads, how sure it must be, how right it was on reports it had not seen."""

from medprefkit.check.label_map import CheckerSettings

_CARD = """---
library_name: transformers
pipeline_tag: text-classification
tags: [medical, natural-language-inference, medprefkit]
---

# A checker of claims against a reference

Made by `medprefkit train-checker` from the encoder `{encoder}`. It reads a claim and a reference report together and
says whether the reference supports it, contradicts it, or leaves it open. The claims that it learned from were made of
the reports of {sources} by rule, with known errors put in: no clinician has read them, and nothing here is fit to
diagnose by. What the sources allow holds for these weights too.

- Labels: `supported`, `contradicted`, `unverifiable`, in this order.
- Input: {order}; the claim is its sentence, behind the words that name what is claimed ("{example}").
- At most {max_tokens} tokens together; of a reference longer than {max_words} words the sentences that speak of the
  claim are read.
- Logits are divided by {temperature} before the softmax; below {supported} for `supported` and {contradicted} for
  `contradicted` it abstains.
- Reports were split by patient with seed {seed}; those below were never learned from.

In a recipe: `check: {{use: nli, with: {{model: FOLDER}}}}`, or `use: ensemble` beside the rules.

```
{tables}
```
"""


def checker_card(settings: CheckerSettings, tables: str) -> str:
    """Return the card as Markdown.

    Args:
        settings: As saved beside the weights.
        tables: How right it was on held-out reports, as text.
    """
    return _CARD.format(
        encoder=settings.encoder,
        sources=settings.trained_on,
        order="claim, then reference" if settings.claim_first else "reference, then claim",
        example="effusion: There is no effusion or pneumothorax.",
        max_tokens=settings.max_tokens,
        max_words=settings.max_reference_words,
        temperature=settings.temperature,
        supported=settings.thresholds["supported"],
        contradicted=settings.thresholds["contradicted"],
        seed=settings.seed,
        tables=tables,
    )
