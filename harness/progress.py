"""Where a session stands, in one line."""

from harness.measure.rounds import Progress


def progress_line(progress: Progress) -> str:
    """``round 17/28 · 3 of 13 scenarios still open · 41 s so far · about 40 s left · retry/hangs``; what is
    done, before the first round."""
    if not progress.rounds:
        return progress.doing
    parts = [
        f"round {min(progress.round + 1, progress.rounds)}/{progress.rounds}",
        f"{progress.open} of {progress.scenarios} scenarios still open",
        f"{duration(progress.elapsed)} so far",
    ]
    if progress.left is not None:
        parts.append(f"about {duration(progress.left)} left")
    return " · ".join([*parts, progress.doing])


def duration(seconds: float) -> str:
    """Whole seconds, with minutes from one minute on."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
