"""What decision trees may ask: sets of phones that sound alike, found in the speech, and places in the word.

As in Kaldi's cluster-phones (Povey): base phones are clustered by their central HMM state, always the two
whose merged Gaussian loses the least likelihood (bottom up, tree/cluster-utils.cc), and every cluster on the
way is a question. That takes no phonetic knowledge, so any language's phones will do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.hybrid.gmm import Doubles
from pipelines.hybrid.topology import PHONE_STATES, Topology
from pipelines.hybrid.tree import ContextStatistics, table_log_likelihood
from pipelines.hybrid.tying import OWN, PLACES, Sets, families

_CENTRE = PHONE_STATES // 2
_WORD_BEGINS, _WORD_ENDS = ("B", "S"), ("E", "S")


def questions(topology: Topology, statistics: ContextStatistics, variance_floor: Doubles) -> Sets:
    """Sets of phones, (questions, phones), no two alike, none empty and none of all phones.

    The clusters of base phones, each base phone, silence, each place in the word, its beginning and its end.
    `variance_floor` (D,) is that of the trees.
    """
    whole = families(topology)
    speech = [family.phones for family in whole if family.split]
    found = [
        *_clusters(speech, statistics, variance_floor),
        *(family.phones for family in whole),
        *_places(topology),
    ]
    sets = np.zeros((len(found), len(topology.phones)), bool)
    for row, phones in zip(sets, found, strict=True):
        row[list(phones)] = True
    sets = sets[sets.any(axis=1) & ~sets.all(axis=1)]
    _, first = np.unique(sets, axis=0, return_index=True)
    different: Sets = sets[np.sort(first)]
    return different


def _places(topology: Topology) -> list[list[int]]:
    """The phones at each place in the word, at its beginning and at its end."""
    wanted = [*((place,) for place in PLACES), _WORD_BEGINS, _WORD_ENDS]
    return [
        [i for i, phone in enumerate(topology.phones) if phone.endswith(tuple(f"_{p}" for p in places))]
        for places in wanted
    ]


def _clusters(
    groups: Sequence[tuple[int, ...]], statistics: ContextStatistics, variance_floor: Doubles
) -> list[tuple[int, ...]]:
    """Merged groups of phones, in the order of their merging; groups that were never heard stay out."""
    sums = _central(groups, statistics)  # (groups, 1 + 2 D)
    heard = np.flatnonzero(sums[:, 0] > 0)
    members = [groups[i] for i in heard]
    sums = sums[heard]
    merged = []
    while len(members) > 1:
        a, b = _nearest(sums, variance_floor)
        both, total = members[a] + members[b], sums[a] + sums[b]
        merged.append(both)
        members = [*(m for i, m in enumerate(members) if i not in (a, b)), both]
        sums = np.concatenate([np.delete(sums, (a, b), axis=0), total[None]])
    return merged


def _central(groups: Sequence[tuple[int, ...]], statistics: ContextStatistics) -> Doubles:
    """Occupancy, sums and squares of each group's central states, in all contexts: (groups, 1 + 2 D)."""
    table = statistics.table()
    central = statistics.contexts[:, 3] == _CENTRE
    return np.stack([table[central & np.isin(statistics.contexts[:, OWN], g)].sum(axis=0) for g in groups])


def _nearest(sums: Doubles, variance_floor: Doubles) -> tuple[int, int]:
    """The two rows that lose the least likelihood as one Gaussian."""
    alone = table_log_likelihood(sums, variance_floor)
    loss = alone[:, None] + alone - table_log_likelihood(sums[:, None] + sums, variance_floor)
    loss[np.tril_indices(len(sums))] = np.inf
    a, b = np.unravel_index(loss.argmin(), loss.shape)
    return int(a), int(b)
