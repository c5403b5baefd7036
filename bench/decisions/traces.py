"""What was recorded: times of work that was really done, by slot, round and turn."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

WORKLOADS = ("http", "query", "retry", "cold")
CLOCKS = ("wall", "cpu")


@dataclass(frozen=True, slots=True)
class Trace:
    """One recording. In each round every slot started afresh and took its turns, in an order drawn for it."""

    about: str
    """Where, when, under which load."""
    slower: tuple[float, ...]
    """By how much each slot was told to be slower: 0.05 is 5 %."""
    seconds: Values
    """Duration of each round, shape (rounds,)."""
    values: dict[str, Values]
    """``http_wall``, ``cold_cpu`` ... -> seconds, shape (slots, rounds, turns); turns of different slots that have the
    same number were taken next to each other."""

    def save(self, path: Path) -> None:
        """Write a compressed numpy file; seven digits are kept."""
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {name: values.astype(np.float32) for name, values in (self.values | {"seconds": self.seconds}).items()}
        np.savez_compressed(
            path, allow_pickle=False, about=np.array(self.about), slower=np.array(self.slower), **arrays
        )

    @classmethod
    def load(cls, path: Path) -> "Trace":
        """Read what ``save`` wrote."""
        with np.load(path, allow_pickle=False) as file:
            values = {name: file[name].astype(np.float64) for name in file.files if name not in {"about", "slower"}}
            return cls(str(file["about"]), tuple(map(float, file["slower"])), values.pop("seconds"), values)
