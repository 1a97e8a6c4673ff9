"""Whosays: ask your documents, see who says so."""
