"""Claims: sentences with a number in them, checked against what was measured."""
