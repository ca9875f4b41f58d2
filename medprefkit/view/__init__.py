"""LOOK: pairs as a page and in the terminal."""
