"""QUALITY: numbers about any preference dataset, ours or a peer's."""
