"""Finds a recogniser by its name: an entry point of `asrbench.pipelines`, or ``"module:Class"``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from data.errors import InputError, did_you_mean
from pipelines.protocol import Pipeline

GROUP = "asrbench.pipelines"

# What pyproject.toml registers, for a checkout that is used without being installed.
OWN: Mapping[str, str] = {
    "null": "pipelines.null:NullPipeline",
    "hybrid": "pipelines.hybrid.pipeline:HybridPipeline",
    "e2e": "pipelines.e2e.pipeline:EndToEndPipeline",
    "pocketsphinx": "pipelines.peers.pocketsphinx:PocketSphinxPipeline",
    "pretrained-torchaudio": "pipelines.pretrained.torchaudio_ctc:TorchaudioPipeline",
    "pretrained-hf": "pipelines.pretrained.hugging_face:HuggingFacePipeline",
    "pretrained-whisper": "pipelines.pretrained.whisper:WhisperPipeline",
    "pretrained-nemo": "pipelines.pretrained.nemo:NemoPipeline",
}

EXTRAS = ("peers", "pretrained")
"""The folders whose pipelines need packages beside asrbench's own, named like the extras that bring them."""

METHODS = ("train", "load", "transcribe", "open_session", "advance", "synchronize", "facts", "close")


class MissingPackage(InputError):  # noqa: N818 - it is a state of the machine that a runner skips over
    """The recogniser needs a package that is not installed; a run skips it with this one line."""


def known() -> dict[str, str]:
    """Every registered name and the ``"module:Class"`` behind it, ours and strangers' alike."""
    return {**OWN, **{point.name: point.value for point in entry_points(group=GROUP)}}


def locate(use: str) -> tuple[str, str]:
    """The module and the class that `use` names, without importing either.

    Raises `InputError` for a name that nobody registered and for a malformed ``"module:Class"``.
    """
    value = use if ":" in use else known().get(use)
    if value is None:
        hint = did_you_mean(use, known()) or f"; there are {', '.join(sorted(known()))}, or module:Class"
        raise InputError(f"no pipeline is called {use!r}{hint}")
    module, _, name = value.partition(":")
    if not module or not name.isidentifier():
        raise InputError(f"{use!r} names no pipeline; write it as module:Class")
    return module, name


def load_class(use: str) -> type[Pipeline]:
    """The pipeline class that `use` names.

    Raises `InputError` where there is none of that name or shape, `MissingPackage` where a package that it
    needs is not installed.
    """
    module_name, name = locate(use)
    if ":" in use and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # a stranger's module lies beside the experiment
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        raise _not_found(use, module_name, error) from error
    except ImportError as error:
        raise MissingPackage(f"pipeline {use!r} cannot be imported: {_one_line(error)}") from error
    found = getattr(module, name, None)
    if found is None:
        raise InputError(f"module {module_name!r} has no class {name!r}{did_you_mean(name, vars(module))}")
    _check_shape(use, found)
    return cast("type[Pipeline]", found)


def _not_found(use: str, module: str, error: ModuleNotFoundError) -> InputError:
    missing = error.name or ""
    if module == missing or module.startswith(missing + "."):
        return InputError(f"pipeline {use!r}: there is no module {missing!r}; is it on the Python path?")
    extra = next((name for name in EXTRAS if module.startswith(f"pipelines.{name}.")), None)
    how = f"install {missing}" if extra is None else f"pip install 'asr-side-by-side[{extra}]'"
    return MissingPackage(f"pipeline {use!r} needs the package {missing!r}, which is not installed: {how}")


def _check_shape(use: str, found: object) -> None:
    lacking = [method for method in METHODS if not callable(getattr(found, method, None))]
    if not isinstance(found, type) or lacking:
        what = f"lacks {', '.join(lacking)}" if lacking else "is not a class"
        raise InputError(f"pipeline {use!r} {what} (see pipelines/protocol.py)")


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
