"""Deliberately wrong maskers, each with one bug that a real masker had, and the right maskers they grew from."""
