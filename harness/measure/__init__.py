"""The measuring half: the only one with clocks, processes and sleeps. It writes the journal and never judges."""
