"""The table of rules: code, one line, where it is done, which tests (`liqmon rules`)."""

from streams.rules.catalogue import Rule, rules_by_code
from streams.rules.table import RuleRow, markdown, rule_rows, shipped_tests, write_generated

__all__ = [
    "Rule",
    "RuleRow",
    "markdown",
    "rule_rows",
    "rules_by_code",
    "shipped_tests",
    "write_generated",
]
