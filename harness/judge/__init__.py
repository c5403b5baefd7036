"""The judging half: runs in, comparisons, verdicts and an exit code out. Pure; works on any old run file."""
