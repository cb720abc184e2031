"""Settings take what TOML writes, and complain in one line about the rest."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from data.errors import InputError
from pipelines.settings import filled


@dataclass(frozen=True)
class Example:
    lms: tuple[str, ...] = ("trigram",)
    beam: float | None = None
    epochs: int = 3
    exact: bool = False
    name: str = "x"


def test_what_is_left_out_keeps_its_default() -> None:
    assert filled(Example, {}, "p") == Example()


def test_toml_values_become_the_fields_types() -> None:
    found = filled(Example, {"lms": ["a", "b"], "beam": 8, "exact": True}, "p")
    assert found == Example(lms=("a", "b"), beam=8.0, exact=True)
    assert isinstance(found.beam, float)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"epoch": 3}, "p: unknown key 'epoch'; did you mean 'epochs'?"),
        ({"epochs": 3.5}, "p: 'epochs' wants a value of type int, not 3.5"),
        ({"epochs": True}, "p: 'epochs' wants a value of type int"),
        ({"exact": 1}, "p: 'exact' wants a value of type bool"),
        ({"beam": "wide"}, "p: 'beam' wants a value of type float"),
        ({"lms": "trigram"}, "p: 'lms' wants a list of strings"),
        ({"lms": [1]}, "p: 'lms' wants a list of strings"),
    ],
)
def test_what_does_not_fit_is_named(config: dict[str, object], complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        filled(Example, config, "p")
    assert complaint in str(caught.value)
