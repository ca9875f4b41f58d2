"""The formats of preference pairs that other tools read and write, and the one noun that all of them become."""
