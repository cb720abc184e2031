"""The schedule, the board and the generator."""

from __future__ import annotations

import os
from collections import Counter, deque
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import load, plan
from bench.board import Board
from bench.plan import CHUNK
from bench.pool import AudioPool, Stretch
from bench.serve import group_size, take_group
from data.types import Audio

stretches = st.lists(
    st.builds(Stretch, st.just(0), st.integers(0, 30_000), st.sampled_from([8000, 16000, 44100])),
    min_size=1,
    max_size=8,
)
# Streams play one after another without a gap: utterances of a few samples would make plays by the million.
spoken = st.lists(
    st.builds(
        Stretch,
        st.just(0),
        st.one_of(st.just(0), st.integers(2_000, 30_000)),
        st.sampled_from([8000, 16000, 44100]),
    ),
    min_size=1,
    max_size=8,
)
chunk_ms = st.sampled_from([20.0, 100.0, 333.0])


def assert_sound(schedule, utterances, whole=True):
    chunks = schedule.chunks
    assert np.all(np.diff(chunks["due"]) >= 0)
    for index, play in enumerate(schedule.plays):
        mine = chunks[chunks["play"] == index]
        if not (whole or play.complete):
            assert not mine["last"].any()
            continue
        stretch = utterances[play.item]
        assert mine["samples"].sum() == stretch.samples
        assert np.array_equal(mine["first"], np.concatenate(([0], np.cumsum(mine["samples"])[:-1])))
        assert mine["last"].tolist() == [0] * (len(mine) - 1) + [1]
        # a chunk is due when its last sample has been spoken, never before
        spoken = play.start + (mine["first"] + mine["samples"]) / stretch.sample_rate
        assert np.all(mine["due"] >= spoken - 1e-9)
        assert mine["due"][-1] == pytest.approx(play.end)


@given(stretches, chunk_ms)
def test_one_stream_plays_all_audio_in_order(utterances, milliseconds):
    schedule = plan.in_turn(utterances, milliseconds)
    assert_sound(schedule, utterances)
    assert [play.item for play in schedule.plays] == list(range(len(utterances)))
    for before, after in pairwise(schedule.plays):
        assert after.start == pytest.approx(before.end)


@given(stretches, chunk_ms, st.integers(0, 5))
def test_poisson_plays_each_once_and_is_seeded(utterances, milliseconds, seed):
    schedule = plan.poisson(utterances, 2.0, milliseconds, seed)
    assert_sound(schedule, utterances)
    assert sorted(play.item for play in schedule.plays) == list(range(len(utterances)))
    assert schedule.plays == plan.poisson(utterances, 2.0, milliseconds, seed).plays


def test_poisson_arrivals_come_at_the_rate_that_was_asked_for():
    schedule = plan.poisson([Stretch(0, 16000, 16000)] * 4000, 5.0, 100, 1)
    gaps = np.diff([play.start for play in schedule.plays])
    assert gaps.mean() == pytest.approx(0.2, rel=0.05)
    assert gaps.std() == pytest.approx(0.2, rel=0.05)  # exponential: as wide as its mean


@settings(max_examples=40, deadline=None)
@given(spoken, st.integers(1, 12), st.integers(0, 3))
def test_concurrent_streams_are_busy_all_the_time(utterances, streams, seed):
    schedule = plan.concurrent(utterances, streams, seconds=4.0, tail=0.5, chunk_ms=100, seed=seed)
    assert_sound(schedule, utterances, whole=False)
    first, last = schedule.window
    assert last - first == pytest.approx(4.0)
    for stream in range(streams):
        mine = [play for play in schedule.plays if play.stream == stream]
        assert mine[0].start <= first and mine[-1].end >= last + 0.5 - 1e-9
        for before, after in pairwise(mine):
            assert after.start == before.end
    assert all(first <= schedule.plays[index].end <= last for index in schedule.measured)


def test_concurrent_streams_play_different_utterances_at_a_time():
    utterances = [Stretch(0, 16000 + 100 * i, 16000) for i in range(20)]
    schedule = plan.concurrent(utterances, 10, seconds=5, tail=0, chunk_ms=100, seed=1)
    first = Counter(play.item for play in schedule.plays[:20])
    assert set(first.values()) == {1}


def test_chunks_of_concurrent_streams_do_not_fall_together():
    schedule = plan.concurrent([Stretch(0, 32000, 16000)], 50, seconds=5, tail=0, chunk_ms=100, seed=1)
    phases = [play.start % 0.1 for play in schedule.plays if play.start < schedule.window[0]]
    assert np.histogram(phases, 5, (0, 0.1))[0].max() < 25


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(0, 6))
def test_a_group_takes_the_oldest_and_one_of_a_session(play, limit):
    waiting = deque(range(len(play)))
    taken = []
    while waiting:
        group = take_group(waiting, play, limit)
        assert group and (not limit or len(group) <= limit)
        assert len({play[row] for row in group}) == len(group)
        assert list(waiting) == sorted(waiting)
        taken += group
    assert sorted(taken) == list(range(len(play)))
    for session in set(play):  # nothing overtakes within a session
        mine = [row for row in taken if play[row] == session]
        assert mine == sorted(mine)


def test_a_core_takes_small_groups_and_an_accelerator_all():
    assert group_size(None, "cpu") == 8
    assert group_size(None, "cuda:0") == 0
    assert group_size(3, "cuda") == 3


def test_audio_comes_back_from_the_pool_as_it_went_in():
    rng = np.random.default_rng(1)
    audios = [
        Audio(rng.standard_normal(n).astype(np.float32), rate)
        for n, rate in [(5, 8000), (0, 16000), (9, 44100)]
    ]
    pool = AudioPool.of(audios)
    for index, audio in enumerate(audios):
        assert np.array_equal(pool.audio(index).samples, audio.samples)
        assert pool.audio(index).sample_rate == audio.sample_rate
    piece = pool.read(2, 3, 4)
    assert np.array_equal(piece, audios[2].samples[3:7])
    piece[:] = 0  # a recogniser may write into what it got
    assert np.array_equal(pool.audio(2).samples, audios[2].samples)
    pool.close()


def board_of(due):
    chunks = np.zeros(len(due), CHUNK)
    chunks["due"] = due
    return Board.of(chunks)


def test_the_generator_hands_all_over_in_order_and_never_early():
    from bench import clock

    board = board_of(np.linspace(0, 0.1, 37))
    board.origin = clock.now()
    read, write = os.pipe()
    os.set_blocking(write, False)
    load.hand_over(board, write)
    assert board.handed == 37 and board.over
    assert np.all(board.handed_at >= board.origin + board.chunks["due"])
    assert np.all(np.diff(board.handed_at) >= 0)
    assert os.read(read, 100)  # the recogniser was woken


def test_a_full_wake_pipe_does_not_block_the_generator():
    from bench import clock

    read, write = os.pipe()
    os.set_blocking(write, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(write, b"\0" * 4096)
    board = board_of([0.0, 0.01])
    board.origin = clock.now()
    load.hand_over(board, write)
    assert board.over
    os.close(read)


def test_a_stopped_board_is_not_played_on():
    from bench import clock

    board = board_of([0.0, 1e6])
    board.origin = clock.now()
    board.stop()
    read, write = os.pipe()
    load.hand_over(board, write)
    assert board.handed == 0 and board.over
    os.close(read)
