"""Maskers that the suite knows by name, and the way to any other: `package.module:object`."""

from __future__ import annotations

from maskspec.conformance.loading import ADAPTERS, load_masker, masker_path

__all__ = ["ADAPTERS", "load_masker", "masker_path"]
