"""A pipeline's settings: a frozen dataclass with defaults, filled from what an experiment writes."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from data.errors import InputError, did_you_mean
from pipelines.protocol import Config

Settings = TypeVar("Settings")


def filled(kind: type[Settings], config: Config, part: str) -> Settings:
    """`kind` with the values of `config`; `part` says whose settings they are, such as ``"e2e: train"``.

    Raises `InputError` for an unknown key or a value of another type; TOML may write 2 for 2.0 and a list
    for a tuple of strings.
    """
    known = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in config.items():
        if key not in known:
            raise InputError(f"{part}: unknown key '{key}'{did_you_mean(key, known)}")
        values[key] = _fitting(value, known[key], f"{part}: '{key}'")
    return kind(**values)


def _fitting(value: object, kind: str, what: str) -> object:
    """`value` as the field's type, ``float | None`` like ``float``."""
    wanted = kind.removesuffix(" | None")
    if wanted.startswith("tuple"):
        if isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value):
            return tuple(value)
        raise InputError(f"{what} wants a list of strings, not {value!r}")
    if wanted == "float" and type(value) is int:
        return float(value)
    if type(value) is not {"int": int, "str": str, "bool": bool, "float": float}[wanted]:
        raise InputError(f"{what} wants a value of type {wanted}, not {value!r}")
    return value
