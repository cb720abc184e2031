"""What an hour of audio costs, by a dated card of prices."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from data.errors import InputError, did_you_mean
from data.toml_file import read_toml

PRICES = Path(__file__).parent / "prices"


@dataclass(frozen=True)
class Prices:
    """List prices per hour. `utilisation` is the share of the paid time in which audio is recognised."""

    card: str
    as_of: str  # ISO 8601 date
    currency: str
    core_hour: float
    gpu_hour: float
    utilisation: float
    note: str = ""

    @property
    def mapping(self) -> dict[str, Any]:
        return asdict(self)


def read_prices(name: str) -> Prices:
    """The card of that name in `bench/prices`, or of a path. Raises `InputError` for an unusable one."""
    path = Path(name) if name.endswith(".toml") else PRICES / f"{name}.toml"
    known = sorted(entry.stem for entry in PRICES.glob("*.toml"))
    if not path.is_file():
        raise InputError(f"there is no price card '{name}'{did_you_mean(name, known)}")
    _, table = read_toml(path)
    names = {entry.name for entry in fields(Prices)} - {"card"}
    for key in table:
        if key not in names:
            raise InputError(f"unknown key '{key}'{did_you_mean(key, names)}", path)
    return _checked(path, {"card": path.stem, **table})


def _checked(path: Path, table: dict[str, Any]) -> Prices:
    try:
        prices = Prices(**{**table, "as_of": str(table.get("as_of", ""))})
        sound = prices.core_hour > 0 and prices.gpu_hour > 0 and 0 < prices.utilisation <= 1
    except TypeError as error:
        raise InputError(f"is no complete price card ({error})", path) from error
    if not sound:
        raise InputError("prices have to be above 0, the utilisation above 0 and at most 1", path)
    return prices


def cost_per_audio_hour(price_per_hour: float, audio_hours_per_hour: float, utilisation: float) -> float:
    """Price of the machine per hour / audio hours that it transcribes per hour (METHOD.md, section 1)."""
    return price_per_hour / (audio_hours_per_hour * utilisation)
