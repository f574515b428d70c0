"""Encodings of positions and directions: fixed functions that networks read better than raw coordinates."""
