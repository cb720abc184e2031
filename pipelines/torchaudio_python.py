"""The one door to torchaudio: its pure-Python part, also where its compiled extension does not load.

The wheel on the package index links CUDA libraries: beside a CPU-only torch, importing it raises OSError,
and beside a torch of another CUDA version RuntimeError. transforms, functional, compliance, models and
pipelines are plain Python; they work once `torchaudio._extension` is a stub that says that no extension
is there. Where the real extension loads, it is used as it is.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_EXTENSION = "torchaudio._extension"


def _forget() -> None:
    for name in [n for n in sys.modules if n == "torchaudio" or n.startswith("torchaudio.")]:
        del sys.modules[name]


def _stub() -> ModuleType:
    """What torchaudio reads of its extension module when it was built without one."""

    def unavailable(function: Any) -> Any:
        return function

    module = ModuleType(_EXTENSION)
    vars(module).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_RIR_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        fail_if_no_align=unavailable,
    )
    return module


def _load() -> ModuleType:
    try:
        return importlib.import_module("torchaudio")
    except (OSError, RuntimeError):
        _forget()
    sys.modules[_EXTENSION] = _stub()
    return importlib.import_module("torchaudio")


torchaudio: Any = _load()
functional: Any = importlib.import_module("torchaudio.functional")
transforms: Any = importlib.import_module("torchaudio.transforms")
bundles: Any = importlib.import_module("torchaudio.pipelines")
has_extension: bool = not isinstance(getattr(sys.modules[_EXTENSION], "__file__", None), type(None))
"""Whether torchaudio's compiled part is there."""
