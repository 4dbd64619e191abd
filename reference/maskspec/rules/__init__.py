"""The executable side of the written spec: the catalogue of rules, and a check for every rule that has one."""

from __future__ import annotations

from maskspec.rules.catalogue import Level, Rule, Status, load_rules
from maskspec.rules.registry import Check, checked_rules, is_asked, load_check, rule, select_rules
from maskspec.rules.violations import Excluded, Finding, Kind, Row, Subject, Violation, violation_type

__all__ = [
    "Check",
    "Excluded",
    "Finding",
    "Kind",
    "Level",
    "Row",
    "Rule",
    "Status",
    "Subject",
    "Violation",
    "checked_rules",
    "is_asked",
    "load_check",
    "load_rules",
    "rule",
    "select_rules",
    "violation_type",
]
