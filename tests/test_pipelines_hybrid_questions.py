"""Questions find the phones that sound alike, and the places in the word."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from pipelines.hybrid.questions import questions
from pipelines.hybrid.topology import Topology
from pipelines.hybrid.tree import ContextStatistics, context_statistics
from pipelines.hybrid.tying import base_phone, families

PHONES = ("SIL", "A_B", "A_I", "E_E", "NOISE", "S", "Z_S", "ZH_B")
TOPOLOGY = Topology(PHONES, (5, 3, 3, 3, 1, 3, 3, 3))
CENTRES = {"A": 0.0, "E": 1.0, "S": 10.0, "Z": 12.5, "SIL": 0.5, "NOISE": 0.5}
OUTSIDE = {"A": 0.0, "E": 50.0, "S": 1.0, "Z": 49.0, "SIL": 0.5, "NOISE": 0.5}
FLOOR = np.array([0.01])


def _speech() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """By their outer states other phones are alike than by the central ones; ZH is never heard."""
    draw = np.random.default_rng(1)
    rows = [(0, p, 0, k) for p, n in enumerate(TOPOLOGY.lengths[:-1]) for k in range(n) for _ in range(200)]
    contexts = np.array(rows, np.int32)
    means = [(CENTRES if k == 1 else OUTSIDE)[base_phone(PHONES[p])] for _, p, _, k in rows]
    return [draw.normal(means, 1.0)[:, None].astype(np.float32)], [contexts]


@pytest.fixture(scope="module")
def asked() -> list[set[str]]:
    sets = questions(TOPOLOGY, context_statistics(*_speech()), FLOOR)
    return [{PHONES[i] for i in np.flatnonzero(row)} for row in sets]


def test_phones_alike_are_clusters_with_all_their_places(asked) -> None:
    assert {"A_B", "A_I", "E_E"} in asked
    assert {"S", "Z_S"} in asked
    assert {"A_B", "A_I", "E_E", "S", "Z_S"} in asked
    assert {"E_E", "S"} not in asked


def test_clusters_are_those_of_least_loss_by_brute_force() -> None:
    """Merging two groups at a time, likelihoods by scipy from the frames."""
    (x,), (contexts,) = _speech()
    groups = [("A_B", "A_I"), ("E_E",), ("S",), ("Z_S",)]

    def likelihood(group: tuple[str, ...]) -> float:
        mine = np.isin(contexts[:, 1], [PHONES.index(p) for p in group]) & (contexts[:, 3] == 1)
        frames = x[mine].astype(np.float64)
        return float(norm.logpdf(frames, frames.mean(axis=0), frames.std(axis=0)).sum())

    expected = []
    while len(groups) > 1:
        pairs = [(a, b) for i, a in enumerate(groups) for b in groups[i + 1 :]]
        a, b = min(pairs, key=lambda ab: likelihood(ab[0]) + likelihood(ab[1]) - likelihood(ab[0] + ab[1]))
        groups = [g for g in groups if g not in (a, b)] + [a + b]
        expected.append(set(a + b))
    sets = questions(TOPOLOGY, context_statistics([x], [contexts]), FLOOR)
    assert [{PHONES[i] for i in np.flatnonzero(row)} for row in sets[:3]] == expected


def test_every_base_phone_and_silence_is_a_question(asked) -> None:
    for alone in ({"SIL"}, {"A_B", "A_I"}, {"E_E"}, {"NOISE"}, {"S"}, {"Z_S"}, {"ZH_B"}):
        assert alone in asked


def test_places_in_the_word_are_questions(asked) -> None:
    assert {"A_B", "ZH_B"} in asked
    assert {"A_I"} in asked
    assert {"A_B", "ZH_B", "Z_S"} in asked  # a word begins
    assert {"E_E", "Z_S"} in asked  # a word ends


def test_no_question_is_asked_twice_or_for_nothing(asked) -> None:
    assert len({frozenset(q) for q in asked}) == len(asked)
    assert all(0 < len(q) < len(PHONES) for q in asked)


def test_phones_without_places_do_without_those_questions() -> None:
    topology = Topology(("SIL", "A", "B"), (3, 3, 3))
    contexts = np.array([[0, 1, 0, 1], [0, 2, 0, 1]], np.int32)
    statistics = ContextStatistics(contexts, np.full(2, 9.0), np.ones((2, 1)), np.full((2, 1), 5.0))
    sets = questions(topology, statistics, FLOOR)
    assert sorted(map(tuple, sets.astype(int).tolist())) == [(0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0)]


def test_families_share_a_base_phone() -> None:
    assert [tuple(PHONES[i] for i in family.phones) for family in families(TOPOLOGY)] == [
        ("SIL",),
        ("A_B", "A_I"),
        ("E_E",),
        ("NOISE",),
        ("S",),
        ("Z_S",),
        ("ZH_B",),
    ]
    assert [family.split for family in families(TOPOLOGY)] == [False, True, True, False, True, True, True]
    assert [base_phone(p) for p in ("AH_B", "AH", "t_h", "_B")] == ["AH", "AH", "t_h", "_B"]
