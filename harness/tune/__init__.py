"""Searches settings: what a model predicts of all candidates, and what measuring says of the best few.

Each command of `harness tune` is a model (``retry``, ``pool``, ``cache``) on a common core: the front of what is not
dominated (``front``), measuring in interleaved rounds (``measuring``), and what is shown of it (``present``).
"""
