"""Whether this is one of several processes that torchrun started for one and the same command.

The first of them does all that is to be done; the others only lend a hand where a training is shared.
"""

from __future__ import annotations

import os


def leads() -> bool:
    """Whether this process is the first, or alone: the one that writes and speaks."""
    return int(os.environ.get("WORLD_SIZE", "1")) < 2 or os.environ.get("RANK", "0") == "0"
