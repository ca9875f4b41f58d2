"""Beyond LLaVA: processors that tile images, pad tiles or type tokens go the same way, built tiny on the spot."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import (
    CLIPVisionConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3Processor,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    LlamaConfig,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
)
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from medprefkit.lab.model import CHAT_TEMPLATE
from medprefkit.models.image_only import ImageOnlyQwenProcessor
from medprefkit.models.loading import load_base_model, load_processor, quiet
from medprefkit.train.collate import PreferenceCollator
from medprefkit.train.forward import ResponseScorer
from medprefkit.train.lora import add_lora
from medprefkit.train.losses import preference_loss
from medprefkit.train.presets import PRESETS
from medprefkit.train.trainer import split_answers

MakePair = Callable[..., dict[str, Any]]

GRID = [[56, 112], [112, 56], [112, 112]]
TEXT: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "pad_token_id": 0,
}
VISION: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 56,
    "patch_size": 14,
}


def llava_next(tokenizer: Any) -> tuple[Any, Any]:
    images = LlavaNextImageProcessorPil(
        size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}, image_grid_pinpoints=GRID
    )
    processor = LlavaNextProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )
    config = LlavaNextConfig(
        vision_config=CLIPVisionConfig(**VISION, projection_dim=64),
        text_config=LlamaConfig(vocab_size=len(tokenizer), **TEXT),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=GRID,
        vision_feature_layer=-1,
    )
    return LlavaNextForConditionalGeneration(config), processor


def idefics3(tokenizer: Any) -> tuple[Any, Any]:
    cells = [f"<row_{row}_col_{column}>" for row in range(1, 4) for column in range(1, 4)]
    added = ["<fake_token_around_image>", "<end_of_utterance>", "<global-img>", *cells]
    tokenizer.add_tokens(added, special_tokens=True)
    images = Idefics3ImageProcessorPil(size={"longest_edge": 112}, max_image_size={"longest_edge": 56})
    processor = Idefics3Processor(
        image_processor=images, tokenizer=tokenizer, image_seq_len=4, chat_template=CHAT_TEMPLATE
    )
    config = Idefics3Config(
        vision_config=VISION,
        text_config=LlamaConfig(vocab_size=len(tokenizer), **TEXT),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=0,
    )
    return Idefics3ForConditionalGeneration(config), processor


def gemma3(tokenizer: Any) -> tuple[Any, Any]:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        extra_special_tokens={"image_token": "<image>", "boi_token": "<boi>", "eoi_token": "<eoi>"},
    )
    processor = Gemma3Processor(
        image_processor=Gemma3ImageProcessorPil(size={"height": 56, "width": 56}),
        tokenizer=tokenizer,
        image_seq_length=4,
        chat_template=CHAT_TEMPLATE.replace("'<image>'", "'<boi>'"),
    )
    config = Gemma3Config(
        vision_config=VISION,
        text_config={"vocab_size": len(tokenizer), "head_dim": 16, "sliding_window": 64, **TEXT},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        boi_token_index=tokenizer.convert_tokens_to_ids("<boi>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<eoi>"),
        mm_tokens_per_image=4,
    )
    return Gemma3ForConditionalGeneration(config), processor


def qwen25_vl(tokenizer: Any) -> tuple[Any, Any]:
    tokenizer.add_tokens(["<|video_pad|>", "<|vision_start|>", "<|vision_end|>"], special_tokens=True)
    images = Qwen2VLImageProcessorPil(size={"shortest_edge": 28 * 28, "longest_edge": 28 * 28 * 12})
    template = CHAT_TEMPLATE.replace("'<image>'", "'<|vision_start|><image><|vision_end|>'")
    processor = ImageOnlyQwenProcessor(images, tokenizer, chat_template=template)
    config = Qwen2_5_VLConfig(
        vision_config={
            "depth": 2, "hidden_size": 64, "intermediate_size": 128, "num_heads": 4, "out_hidden_size": 64,
            "fullatt_block_indexes": [1], "window_size": 56,
        },
        text_config={
            "vocab_size": len(tokenizer), **TEXT,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]},
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
    )  # fmt: skip
    return Qwen2_5_VLForConditionalGeneration(config), processor


def qwen2_vl(tokenizer: Any) -> tuple[Any, Any]:
    model, processor = qwen25_vl(tokenizer)
    config = model.config.to_dict()
    vision = {"depth": 2, "embed_dim": 64, "hidden_size": 64, "num_heads": 4, "mlp_ratio": 2}
    tokens = {name: config[name] for name in config if name.endswith("token_id")}
    text = {name: value for name, value in config["text_config"].items() if name != "model_type"}
    return Qwen2VLForConditionalGeneration(Qwen2VLConfig(vision_config=vision, text_config=text, **tokens)), processor


FAMILIES = {
    "llava_next": llava_next,
    "idefics3": idefics3,
    "gemma3": gemma3,
    "qwen2_vl": qwen2_vl,
    "qwen2_5_vl": qwen25_vl,
}


@pytest.fixture(scope="module", params=["llava", *FAMILIES])
def family(request: pytest.FixtureRequest, tiny_model: Any) -> tuple[PeftModel, Any]:
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(tiny_model)
    torch.manual_seed(0)
    with quiet():
        if request.param == "llava":
            base = load_base_model(str(tiny_model), precision="fp32")
        else:
            base, processor = FAMILIES[request.param](processor.tokenizer)
    model = add_lora(base, r=4, alpha=8)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model, processor


@pytest.fixture(scope="module")
def rows(make_pair: MakePair, make_text_pair: MakePair, make_png: MakePair) -> list[dict[str, Any]]:
    """Images of other shapes, more than one, none, with and without a corrupted partner, prompts of other lengths."""
    prompt = [{"role": "user", "content": "What do you see here, and where is it?"}]
    return [
        make_pair(0),
        make_pair(1, images=[make_png(3, (60, 200))], corrupted_images=[make_png(4, (60, 200))], prompt=prompt),
        make_text_pair(2),
        make_pair(3, images=[make_png(5, (150, 60)), make_png(6)], corrupted_images=[]),
    ]


def row_losses(model: PeftModel, processor: Any, rows: list[dict[str, Any]], *, share: bool) -> torch.Tensor:
    batch = PreferenceCollator(processor, share_prompts=share)(rows)
    assert ("prompts" in batch["groups"][0]) == share
    chosen, rejected, corrupted = split_answers(ResponseScorer(model)(model, model, batch), batch)
    return preference_loss(PRESETS["medpref"], chosen, rejected, corrupted, batch["row_weights"]).rows


def test_a_row_scores_the_same_in_any_company(family: tuple[PeftModel, Any], rows: list[dict[str, Any]]) -> None:
    model, processor = family
    model.train()
    together = row_losses(model, processor, rows, share=False).detach()
    alone = torch.cat([row_losses(model, processor, [row], share=False).detach() for row in rows])
    assert torch.allclose(together, alone, atol=1e-5)
    assert together.unique().numel() == 4


def test_a_shared_prompt_changes_neither_losses_nor_gradients(
    family: tuple[PeftModel, Any], rows: list[dict[str, Any]]
) -> None:
    model, processor = family
    scorer = ResponseScorer(model)
    if "Gemma3" in type(model.get_base_model()).__name__:
        assert not scorer.can_share_prompts  # a window forgets
        return
    assert scorer.can_share_prompts
    weights = [parameter for name, parameter in model.named_parameters() if "lora_" in name]
    results = []
    for share in (False, True):
        losses = row_losses(model, processor, rows, share=share)
        results.append((losses.detach(), torch.autograd.grad(losses.mean(), weights)))
    assert torch.allclose(results[0][0], results[1][0], atol=1e-5)
    for one, other in zip(results[0][1], results[1][1], strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_a_qwen_model_loads_without_torchvision_and_its_images_are_encoded_once(
    tmp_path: Any, tiny_model: Any, rows: list[dict[str, Any]]
) -> None:
    from transformers import AutoProcessor

    base, processor = qwen25_vl(AutoProcessor.from_pretrained(tiny_model).tokenizer)
    with quiet():
        base.save_pretrained(tmp_path)
        processor.save_pretrained(tmp_path)
    loaded = load_processor(str(tmp_path))
    assert isinstance(loaded, ImageOnlyQwenProcessor)
    model = add_lora(load_base_model(str(tmp_path), precision="fp32"), r=4, alpha=8)
    inner, calls = model.get_base_model().model, []
    encode = type(inner).get_image_features

    def counted(self: Any, *arguments: Any, **options: Any) -> Any:
        calls.append(1)
        return encode(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(inner), "get_image_features", counted)
        losses = row_losses(model, loaded, rows, share=False)
    assert len(calls) == 1  # one group with images: the reference's features serve the policy
    assert torch.isfinite(losses).all()
