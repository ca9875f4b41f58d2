"""The lesion's evidence removed from the image, everything else untouched. Knows arrays, not files."""
