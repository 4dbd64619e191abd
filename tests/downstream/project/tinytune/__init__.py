"""A fine-tuning framework of two functions, each of which makes the labels of a conversation."""

from __future__ import annotations

from tinytune.masking import build_with_headers, build_without_headers

__all__ = ["build_with_headers", "build_without_headers"]
