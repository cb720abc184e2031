"""Which places of a phone get a model, and that every phone is one that the training hears."""

from __future__ import annotations

from pipelines.hybrid.positions import ENOUGH, positioned

WORDS = {
    "bee": (("B", "IY"),),
    "e": (("IY",),),
    "baby": (("B", "EY", "B", "IY"),),
    "eve": (("IY", "V"), ("IY", "F")),
    "zoo": (("Z", "UW"),),
}


def _by_place(**times: int) -> dict[str, tuple[tuple[str, ...], ...]]:
    found = positioned(WORDS, [[word] * count for word, count in times.items()])
    return {word: tuple(map(tuple, variants)) for word, variants in found.items()}


def test_common_places_are_apart_and_rare_ones_share() -> None:
    found = _by_place(bee=ENOUGH, e=ENOUGH, baby=12, eve=15)
    assert found["bee"] == (("B_B", "IY_E"),)
    assert found["e"] == (("IY_S",),)
    assert found["baby"] == (("B_B", "EY", "B", "IY_E"),)
    assert found["eve"][0] == ("IY", "V")


def test_what_is_never_heard_goes_to_what_is() -> None:
    found = _by_place(bee=ENOUGH, e=2 * ENOUGH, baby=1)
    assert found["eve"][0][0] == "IY_S"  # never at the beginning of a word: the commonest place
    assert found["baby"][0][2] == "B_B"
    assert found["zoo"] == (("Z", "UW"),)  # not heard at all


def test_every_word_keeps_its_variants() -> None:
    found = _by_place(bee=50)
    assert {w: [len(v) for v in p] for w, p in found.items()} == {
        w: [len(v) for v in p] for w, p in WORDS.items()
    }
