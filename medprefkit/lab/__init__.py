"""PROOF: a chest phantom with exact truth and a tiny vision-language model."""
