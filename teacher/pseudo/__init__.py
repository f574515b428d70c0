"""Pseudo-data: views rendered by a teacher, for the student to learn from."""
