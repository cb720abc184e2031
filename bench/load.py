"""The load generator: a process of its own, on another core, that hands chunks over when they are due."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress

import numpy as np

from bench import clock
from bench.board import Board
from bench.channel import Channel, PeerGone
from bench.child import begin
from data.types import Seconds

HEAD_START: Seconds = 0.05
LONGEST_SLEEP: Seconds = 0.05  # after which it looks whether somebody has stopped the scenario
TICK: Seconds = 0.001  # what falls due within it is handed over together, at its end at the latest


def hand_over(board: Board, wake: int) -> None:
    """Plays the board's schedule by the clock, open loop; returns when all is handed over, or on `stop`."""
    due = board.chunks["due"] + board.origin  # (n,)
    handed = 0
    while handed < board.count and not board.stopped:
        time = clock.sleep_until(min(float(due[handed]), clock.now() + LONGEST_SLEEP))
        upto = int(np.searchsorted(due, time, side="right"))
        if upto == handed:
            continue
        board.handed = upto
        board.handed_at[handed:upto] = clock.now()
        handed = upto
        _wake(wake)
        clock.sleep_until(time + TICK)
    board.finish()
    _wake(wake)


def _wake(descriptor: int) -> None:
    with suppress(BlockingIOError):  # it is full of wake-ups already
        os.write(descriptor, b"\0")


def _before_others() -> None:
    """Asks to run as soon as it wakes, where that is allowed: a late generator makes a trial invalid."""
    if hasattr(os, "sched_setscheduler"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def _play(message: dict[str, int], descriptor: int, wake: int) -> None:
    board = Board(descriptor, message["chunks"])
    gc.collect()
    gc.freeze()
    gc.disable()
    board.origin = clock.now() + HEAD_START
    hand_over(board, wake)
    gc.enable()
    gc.unfreeze()
    board.close()


def main() -> None:
    """Arguments: the channel's, the watch's and the wake pipe's descriptor, and the core ("" for any)."""
    channel_fd, watch, wake = (int(argument) for argument in sys.argv[1:4])
    begin(watch, sys.argv[4])
    _before_others()
    os.set_blocking(wake, False)
    channel = Channel.from_descriptor(channel_fd)
    try:
        while True:
            message, descriptor = channel.receive()
            if descriptor is not None:
                _play(message, descriptor, wake)
                channel.send({"done": True})
    except PeerGone:
        pass


if __name__ == "__main__":
    main()
