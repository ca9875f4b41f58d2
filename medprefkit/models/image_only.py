"""Qwen2-VL's and Qwen2.5-VL's processor without its video slot, which alone of it needs torchvision."""

from pathlib import Path
from typing import Any

from transformers import AutoImageProcessor, AutoTokenizer
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor

MODEL_TYPES = ("qwen2_vl", "qwen2_5_vl")


class ImageOnlyQwenProcessor(Qwen2_5_VLProcessor):
    """Images and text in, the tensors of the whole processor out; no video."""

    @classmethod
    def get_attributes(cls) -> list[str]:
        """Name the parts that are saved and loaded."""
        return ["image_processor", "tokenizer"]

    def __init__(self, image_processor: Any, tokenizer: Any, chat_template: str | None = None) -> None:
        """Join the two parts."""
        super().__init__(  # type: ignore[no-untyped-call]  # transformers'
            image_processor, tokenizer, None, chat_template=chat_template
        )

    def save_pretrained(self, save_directory: Any, push_to_hub: bool = False, **options: Any) -> Any:
        """Save under the whole processor's name, so that it loads wherever that one does."""
        saved = super().save_pretrained(save_directory, push_to_hub, **options)
        for path in Path(save_directory).glob("*.json"):
            text = path.read_text("utf-8")
            if type(self).__name__ in text:
                path.write_text(text.replace(type(self).__name__, Qwen2_5_VLProcessor.__name__), "utf-8")
        return saved


def load_image_only(model: str) -> ImageOnlyQwenProcessor:
    """Load the two parts of a model folder or Hub name."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    images = AutoImageProcessor.from_pretrained(model)  # type: ignore[no-untyped-call]  # transformers'
    return ImageOnlyQwenProcessor(images, tokenizer, chat_template=tokenizer.chat_template)
