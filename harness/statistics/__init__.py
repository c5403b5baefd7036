"""Procedures of statistics: numbers in, values out. Knows no metric and no run; only the standard library."""
