"""Work side by side ends as it would one after another: with its results, or with what went wrong."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from data.errors import InputError
from pipelines.hybrid.parallel import Step, side_by_side


def _silent(share: float, note: str, stage: str) -> None:
    assert 0.0 <= share <= 1.0


def _piece(number: int, seconds: float = 0.0):
    def work(step: Step) -> tuple[int, int]:
        time.sleep(seconds)
        step(0.5, f"piece {number}", "stage")
        return number, os.getpid()

    return work


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_are_in_order_whoever_is_done_first(jobs: int) -> None:
    found = side_by_side([_piece(i, 0.05 * (3 - i)) for i in range(4)], _silent, jobs)
    assert [number for number, _ in found] == [0, 1, 2, 3]
    own = os.getpid()
    assert len({pid for _, pid in found}) == (1 if jobs == 1 else 4)
    assert (own in {pid for _, pid in found}) == (jobs == 1)
    assert not multiprocessing.active_children()


def test_no_more_at_a_time_than_asked_for(tmp_path: Path) -> None:
    def work(step: Step) -> int:
        mine = tmp_path / str(os.getpid())
        mine.touch()
        time.sleep(0.05)
        count = len(list(tmp_path.iterdir()))
        mine.unlink()
        return count

    assert max(side_by_side([work] * 6, _silent, 2)) <= 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_last_one_tells_what_is_done(jobs: int) -> None:
    told: list[tuple[float, str, str]] = []
    side_by_side([_piece(0), _piece(1, 0.2)], lambda *step: told.append(step), jobs)
    assert told[-1][1:] == ("piece 1", "stage")
    assert [share for share, _, _ in told] == sorted(share for share, _, _ in told)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("place", [0, 1])
def test_unusable_input_arrives_as_such(jobs: int, place: int) -> None:
    def work(step: Step) -> None:
        raise InputError("not a lexicon: write it anew", "words.dic", 7)

    pieces = [_piece(0), _piece(1)]
    pieces[place] = work
    with pytest.raises(InputError) as error:
        side_by_side(pieces, _silent, jobs)
    assert str(error.value) == "words.dic:7: not a lexicon: write it anew"
    assert not multiprocessing.active_children()


def test_a_failure_is_told_and_ends_the_rest() -> None:
    def work(step: Step) -> None:
        raise ZeroDivisionError("no frames")

    began = time.monotonic()
    with pytest.raises(RuntimeError, match="ZeroDivisionError: no frames"):
        side_by_side([work, _piece(1, 60.0)], _silent, 2)
    assert time.monotonic() - began < 20
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("place", [0, 1])
def test_a_process_that_dies_is_told(place: int) -> None:
    def work(step: Step) -> None:
        step(0.1, "about to die", "stage")
        os._exit(9)

    pieces = [_piece(0, 60.0), _piece(1, 60.0)]
    pieces[place] = work
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="died"):
        side_by_side(pieces, _silent, 2)
    assert time.monotonic() - began < 20
    assert not multiprocessing.active_children()


def test_a_result_that_cannot_be_sent_is_told() -> None:
    with pytest.raises(RuntimeError, match="pickle"):
        side_by_side([lambda step: lambda: None, _piece(1)], _silent, 2)


def test_who_stops_listening_stops_the_work() -> None:
    def stop(share: float, note: str, stage: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        side_by_side([_piece(0, 60.0), _piece(1)], stop, 2)
    assert not multiprocessing.active_children()


@pytest.mark.timeout(60)
def test_threads_of_before_do_not_stop_the_work() -> None:
    """OpenMP's threads are gone after a fork; a process that waits for them waits for ever."""
    x = np.random.default_rng(1).normal(0, 1, (5000, 20))

    def cluster(step: Step) -> float:
        return float(KMeans(8, n_init=1, random_state=1).fit(x).inertia_)

    with threadpool_limits(2, user_api="openmp"):
        alone = cluster(_silent)
        assert side_by_side([cluster, cluster], _silent, 2) == pytest.approx([alone, alone])
