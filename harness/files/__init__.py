"""The files that join the two halves: journal, run file, baseline. Standard library only."""
