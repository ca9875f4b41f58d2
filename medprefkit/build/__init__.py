"""Pairs: join, split, limits and the column contract."""
