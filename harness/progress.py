"""Where a session stands, in one line."""

from harness.measure.rounds import Progress


def progress_line(progress: Progress) -> str:
    """``round 3/12 · retry/hangs · 41 s so far · about 2 min 5 s left``."""
    parts = [f"round {min(progress.round + 1, progress.rounds)}/{progress.rounds}", progress.doing]
    parts.append(f"{duration(progress.elapsed)} so far")
    if progress.left is not None:
        parts.append(f"about {duration(progress.left)} left")
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """Whole seconds, with minutes from one minute on."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
