"""A dataset of the column contract becomes an adapter."""
