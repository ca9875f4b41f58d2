"""Is it true: claims against the reference. Knows nothing of grammar."""
