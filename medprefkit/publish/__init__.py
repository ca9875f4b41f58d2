"""OUT: the data card and the dataset as it is shared."""
