"""Tiny models for tests of asking: a LLaVA, and one of the Qwen kind whose processor takes images alone."""

from pathlib import Path
from typing import Any

import torch

from medprefkit.lab.model import build_tiny_llava

TEXTS = ["Is there a pleural effusion?", "Yes, there is a large effusion on the left.", "No.", "no yes Yes No"]

torch.set_num_threads(1)


def build_tiny(folder: Path) -> Path:
    return build_tiny_llava(folder, TEXTS)


def build_qwen(folder: Path, tiny_folder: Path) -> Path:
    from transformers import AutoProcessor, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from medprefkit.lab.model import CHAT_TEMPLATE
    from medprefkit.models.image_only import ImageOnlyQwenProcessor
    from medprefkit.models.loading import quiet

    tokenizer = AutoProcessor.from_pretrained(tiny_folder).tokenizer
    tokenizer.add_tokens(["<|video_pad|>", "<|vision_start|>", "<|vision_end|>"], special_tokens=True)
    images = Qwen2VLImageProcessorPil(size={"shortest_edge": 28 * 28, "longest_edge": 28 * 28 * 12})
    template = CHAT_TEMPLATE.replace("'<image>'", "'<|vision_start|><image><|vision_end|>'")
    text: dict[str, Any] = {
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 2048, "pad_token_id": 0, "vocab_size": len(tokenizer),
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]},
    }  # fmt: skip
    config = Qwen2_5_VLConfig(
        vision_config={
            "depth": 2, "hidden_size": 64, "intermediate_size": 128, "num_heads": 4, "out_hidden_size": 64,
            "fullatt_block_indexes": [1], "window_size": 56,
        },
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
    )  # fmt: skip
    torch.manual_seed(0)
    with quiet():
        model = Qwen2_5_VLForConditionalGeneration(config)
        model.generation_config.eos_token_id = tokenizer.eos_token_id
        model.save_pretrained(folder)
        ImageOnlyQwenProcessor(images, tokenizer, chat_template=template).save_pretrained(folder)
    return folder
