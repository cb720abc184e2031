"""Models of Hugging Face's hub: what lies on this machine, or is allowed to be downloaded."""

from __future__ import annotations

from typing import Any

from data.errors import InputError
from pipelines.pretrained.offline import PretrainedSettings


def fetched(kind: Any, settings: PretrainedSettings, **how: Any) -> Any:
    """`kind.from_pretrained` of `settings.model`. Raises `InputError` with what to download, and whereto."""
    if not settings.model:
        raise InputError("set model to a folder with a model of transformers, or to its name on the hub")
    try:
        return kind.from_pretrained(settings.model, local_files_only=not settings.download, **how)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise InputError(
            f"{kind.__name__} cannot be loaded from {settings.model!r} ({first[:160]}); download it with"
            f" 'hf download {settings.model} --local-dir FOLDER' (safetensors) and set model = 'FOLDER',"
            " or set download = true"
        ) from error
