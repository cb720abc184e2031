"""A TOML file with its text, so that a complaint about a value can name its line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from data.errors import InputError


def read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    """The text and the table in it. Raises `InputError` for what cannot be read, or is no TOML."""
    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", path) from error
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8 text", path) from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"is not TOML: {error}", path) from error
