"""A model's files made small for handing on: matrices in half precision, arrays compressed."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from data.errors import InputError

_FOLDERS = re.compile(r"(?<![\w.\-~/])~?/(?:[^/\s]+/)+(?=[^/\s])")


def compact(source: Path, target: Path) -> None:
    """Copies one file, smaller where its kind allows it; whoever reads the file reads the copy as well.

    Raises `InputError` for a file that is not what its name says.
    """
    made = {".safetensors": halved, ".npz": packed, ".json": unplaced}.get(source.suffix, Path.read_bytes)
    try:
        content = made(source)
    except (SafetensorError, ValueError, OSError) as error:
        raise InputError(f"cannot be read ({error}); train the model again", source) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def halved(path: Path) -> bytes:
    """A safetensors file with its matrices and kernels as float16.

    Vectors (biases, means, deviations, priors) weigh little and stay as they are, and so do tensors with
    values that float16 cannot hold. Torch widens the halves again where it loads them into a network.
    """
    with safe_open(path, "np") as stored:
        tensors = {name: _half(stored.get_tensor(name)) for name in stored.keys()}  # noqa: SIM118
        return bytes(save(tensors, stored.metadata()))


def _half(tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if tensor.ndim < 2 or tensor.dtype not in (np.float32, np.float64):
        return tensor
    with np.errstate(over="ignore"):
        rounded = tensor.astype(np.float16)
    return rounded if np.isfinite(rounded).all() else tensor


def packed(path: Path) -> bytes:
    """An npz file, compressed."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def unplaced(path: Path) -> bytes:
    """A JSON file without the folders of the paths in it; as it is where there are none."""
    content = path.read_bytes()
    stored = json.loads(content)
    cleaned = without_folders(stored)
    return content if cleaned == stored else json.dumps(cleaned, indent=1, ensure_ascii=False).encode()


def without_folders(value: Any) -> Any:
    """Plain values, of absolute paths in them the last parts alone: `/home/anna/calls.txt` as `calls.txt`."""
    if isinstance(value, dict):
        return {key: without_folders(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(entry) for entry in value]
    return _FOLDERS.sub("", value) if isinstance(value, str) else value
