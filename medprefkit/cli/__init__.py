"""One command a stage; parses, calls `pipeline`, prints. Imports nothing heavy until a command runs."""
