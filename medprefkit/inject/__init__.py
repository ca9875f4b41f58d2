"""Known errors put into true texts: every type that has characters, with exact spans and a way back."""
