"""The before/after report: one view model (``view``) from which every format renders, so formats cannot disagree.

The renderers import their libraries; this package imports none, so that a command that prints nothing pays nothing.
"""
