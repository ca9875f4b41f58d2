"""A tiny LLaVA, built on the spot from transformers' own classes: what tests and the experiment train.

Random weights, a byte-level tokenizer fitted to the texts at hand, no download. It knows nothing of medicine; it is a
real vision-language model in every other way: it saves, loads through the Auto classes, trains and generates.
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

BOS, EOS, PAD, IMAGE = "<s>", "</s>", "<pad>", "<image>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")

# The answer follows a special token directly, so no merge can join it to the prompt, and nothing trims it.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' }}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<image>' }}{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
    "{{ eos_token }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def build_tiny_llava(
    out_dir: Path,
    texts: Iterable[str],
    *,
    seed: int = 0,
    image_size_px: int = 56,
    patch_size_px: int = 14,
    hidden_size: int = 64,
    n_layers: int = 2,
    vocab_size: int = 1024,
    n_logits: int | None = None,
) -> Path:
    """Build a LLaVA with random weights and its processor, and save both.

    The same arguments give the same files. Load it with `AutoModelForImageTextToText` and `AutoProcessor`.

    Args:
        out_dir: Created if absent; files of an earlier build are overwritten.
        texts: The tokenizer's merges are learned from these; any other text still encodes, byte by byte.
        seed: Decides the weights.
        image_size_px: Side of the square that every image is resized to, a multiple of `patch_size_px`.
        patch_size_px: Side of a patch; an image becomes (image_size_px / patch_size_px) ** 2 tokens.
        hidden_size: Width of both towers, a multiple of 4.
        n_layers: Layers of each tower.
        vocab_size: Upper limit of the tokenizer's vocabulary; at least 263 for the bytes and the special tokens.
        n_logits: Rows of the embedding and the output head, at least the tokenizer's vocabulary and by default just
            that: a head of a real model's size beside a tokenizer that is quick to fit.

    Returns:
        `out_dir`.

    Raises:
        ValueError: If the image is not a whole number of patches, or a token would have no row.
    """
    if image_size_px % patch_size_px != 0:
        raise ValueError(f"image_size_px {image_size_px} is not a multiple of patch_size_px {patch_size_px}")
    tokenizer = _fit_tokenizer(texts, vocab_size)
    if n_logits is not None and n_logits < len(tokenizer):
        raise ValueError(f"n_logits {n_logits} is below the {len(tokenizer)} tokens of the tokenizer")
    side = {"height": image_size_px, "width": image_size_px}
    processor = LlavaProcessor(  # type: ignore[no-untyped-call]  # transformers'
        image_processor=LlavaImageProcessorPil(size=side, crop_size=side),
        tokenizer=tokenizer,
        patch_size=patch_size_px,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,  # CLIP's class token, which "default" then leaves out
        image_token=IMAGE,
        chat_template=CHAT_TEMPLATE,
    )
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=hidden_size,
            intermediate_size=2 * hidden_size,
            num_hidden_layers=n_layers,
            num_attention_heads=4,
            image_size=image_size_px,
            patch_size=patch_size_px,
            projection_dim=hidden_size,
        ),
        text_config=LlamaConfig(
            vocab_size=n_logits or len(tokenizer),
            hidden_size=hidden_size,
            intermediate_size=2 * hidden_size,
            num_hidden_layers=n_layers,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=2048,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ),
        image_token_index=int(tokenizer.get_vocab()[IMAGE]),
        vision_feature_layer=-1,  # with two layers LLaVA's usual -2 would leave the last one untrained
        vision_feature_select_strategy="default",
        image_seq_length=(image_size_px // patch_size_px) ** 2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(config)
    model.generation_config.bos_token_id = tokenizer.bos_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    out_dir.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out_dir)
    processor.save_pretrained(out_dir)
    return out_dir


def _fit_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    bpe = Tokenizer(BPE())
    bpe.pre_tokenizer = ByteLevel(add_prefix_space=False)
    bpe.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, BOS, EOS, IMAGE, *ROLES],
        initial_alphabet=sorted(ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers'
        tokenizer_object=bpe,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        extra_special_tokens={"image_token": IMAGE},
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )
