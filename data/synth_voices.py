"""The speakers of the embedded corpus: a speaker is an accent, a voice variant, a pitch and a rate."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from typing import Final

# Chosen by their names: whispering, croaking, robotic and joke variants are left out. The same variants
# speak in every split, with another pitch, rate or accent: easier than people never heard before.
_NAMES: Final = """
    f1 f2 f3 f4 m1 m3 m4 m5 m6 m7 m8 Alex Alicia Andrea Annie Denis Gene Jacky Lee Marco Mario
    Michael Mike adam anika belinda benjamin david ed edward ian john linda max miguel pablo paul
    quincy rob robert sandro steph travis"""
_VARIANTS: Final = tuple(_NAMES.split())
_ACCENTS: Final = (("en-us", 0.7), ("gmw/en", 0.14), ("en-gb-scotland", 0.08), ("en-029", 0.08))
_PITCHES: Final = (35, 42, 50, 58, 65)
_RATES: Final = (130, 140, 150, 160, 170)  # words a minute


@dataclass(frozen=True)
class Voice:
    """A speaker; `pitch` and `inflection` as espeak counts them (0 to 99), `rate` in words a minute."""

    speaker: str
    name: str
    pitch: int
    inflection: int
    rate: int


def voices(count: int, rng: random.Random) -> tuple[Voice, ...]:
    """`count` distinct voices, every variant about equally often; speakers named ``s0001`` and so on."""
    order: dict[str, list[tuple[int, int]]] = {}
    for variant in _VARIANTS:
        order[variant] = list(itertools.product(_PITCHES, _RATES))
        rng.shuffle(order[variant])
    if count > len(_VARIANTS) * len(_PITCHES) * len(_RATES):
        raise ValueError(f"there are not {count} distinct voices")
    drawn = []
    for number, variant in zip(range(count), itertools.cycle(_VARIANTS), strict=False):
        pitch, rate = order[variant].pop()
        accent = rng.choices([name for name, _ in _ACCENTS], [weight for _, weight in _ACCENTS])[0]
        drawn.append((number, f"{accent}+{variant}", pitch, rng.choice((40, 50, 60)), rate))
    rng.shuffle(drawn)
    return tuple(Voice(f"s{index:04d}", *entry[1:]) for index, entry in enumerate(drawn, 1))
