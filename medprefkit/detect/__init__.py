"""What a text claims: spaCy pipeline, lexicon, scopes. Knows nothing of what is true."""
