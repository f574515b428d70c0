"""Samplers decide where along its rays a field is evaluated."""
