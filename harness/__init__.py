"""Measure two variants of a system side by side, decide honestly what changed, write the before/after report.

Two halves, joined by a file:

    configuration -> variants -> stack -> rounds -> journal              harness.measure: clocks, processes, sleeps
                                                       |
    ====================  run file (JSON, versioned)  =v=============    harness.files: a baseline is a kept run file
                                                       |
         run x run -> statistics -> comparison -> verdict -> gate        harness.judge, harness.statistics: pure
                                        |
                                        v
                       report: terminal, Markdown, HTML                  harness.report

``harness.model`` holds the nouns that all of them share; only ``harness.plugin`` and ``harness.cli`` know both halves.
"""

__version__ = "0.1.0"
