"""Models in the loop: loading them, asking them, keeping what they said. Knows no stage."""
