"""How right: detection, clinical accuracy, grounding."""
