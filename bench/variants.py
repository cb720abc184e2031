"""One entry of an experiment as several pipelines: one for each training seed, one for each swept setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipelines.protocol import PipelineSpec


@dataclass(frozen=True)
class PipelineChoice:
    """A pipeline, and the corpora that it is for (empty: all).

    `entry` is its entry's name in the experiment, `seed` its training's where the entry gives seeds, `sweep`
    the setting that it stands for in a sweep, such as ``beam=8``; it `leads` as the entry's first seed.
    """

    spec: PipelineSpec
    entry: str
    corpora: tuple[str, ...] = ()
    seed: int | None = None
    sweep: str = ""
    leads: bool = True

    @property
    def names(self) -> frozenset[str]:
        """What a scenario may call it: itself; its entry, for all seeds; ``ENTRY@beam``, for a sweep."""
        family = f"{self.entry}@{self.sweep.partition('=')[0]}" if self.sweep else self.entry
        return frozenset((self.spec.name, family))


def variants(
    spec: PipelineSpec,
    corpora: tuple[str, ...] = (),
    seeds: Sequence[int] = (),
    sweep: Mapping[str, Sequence[Any]] | None = None,
) -> tuple[PipelineChoice, ...]:
    """`spec` itself, or ``NAME-s1``, ``NAME-s2`` ... with `train.seed` set; then the sweep's settings.

    ``NAME@beam=8`` decodes with that setting of ``NAME``, or of its first seed, whose model it shares.
    """
    choices = [PipelineChoice(spec, spec.name, corpora)]
    if seeds:
        choices = [
            PipelineChoice(_seeded(spec, seed), spec.name, corpora, seed, leads=seed == seeds[0])
            for seed in seeds
        ]
    first = choices[0]
    settings = [(key, value) for key, values in (sweep or {}).items() for value in values]
    return (*choices, *(_swept(first, key, value) for key, value in settings))


def measured_with(choice: PipelineChoice, setting: str) -> PipelineChoice:
    """`choice` as ``NAME@batch=32``, where a scenario lists values of one of its options (empty: itself)."""
    if not setting:
        return choice
    spec = replace(choice.spec, name=f"{choice.spec.name}@{setting}")
    return replace(choice, spec=spec, sweep=f"{choice.sweep},{setting}" if choice.sweep else setting)


def _seeded(spec: PipelineSpec, seed: int) -> PipelineSpec:
    return replace(spec, name=f"{spec.name}-s{seed}", train={**spec.train, "seed": seed})


def _swept(first: PipelineChoice, key: str, value: Any) -> PipelineChoice:
    setting = f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
    spec = replace(first.spec, name=f"{first.spec.name}@{setting}", decode={**first.spec.decode, key: value})
    return replace(first, spec=spec, sweep=setting)
