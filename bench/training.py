"""Trains what is missing, once, and remembers what it cost."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench import clock, hardware, ranks
from bench.deadline import NEVER, Deadline, OutOfTimeError
from bench.stages import JOURNAL
from data.collection import Corpus
from data.errors import InputError
from data.types import Seconds, Word
from pipelines.protocol import CURVE, PipelineSpec, Progress
from pipelines.registry import MissingPackage, locate
from results.store import default_root, write_whole

MARKER = "training.json"
CARD, PAGE = "reference.json", "README.md"  # of a model that was exported
BESIDE = (MARKER, JOURNAL, CURVE, CARD, PAGE, ".lock")  # no parts of the model
_OWN = ("pipelines.",)
_PATIENCE: Seconds = 30.0  # with a training that is to stop, before it is killed


class TrainingError(Exception):
    """A pipeline failed while it was trained; one line, for the reason of its cells."""


@dataclass(frozen=True)
class Trained:
    """A finished model. `facts`: seconds, stage_spans, audio_hours, peak_memory_bytes, machine ..."""

    model_dir: Path
    facts: Mapping[str, Any]


def models_root() -> Path:
    return default_root() / "models"


def probe(use: str) -> dict[str, bool]:
    """Whether it is `trainable`, `streaming`, `parallel` and heeds a `budget`; asked in a fresh process.

    Raises `InputError` for an unknown one and `MissingPackage` where a package is not installed.
    """
    return _ask({"command": "probe", "use": use}, _silent)


def trained(
    spec: PipelineSpec, corpus: Corpus, card: str, progress: Progress, deadline: Deadline = NEVER
) -> Trained:
    """The model of `spec` on `corpus` (opened as `card`), trained now if it is missing or unfinished.

    Of several processes that want the same model, one trains and the others wait; those of torchrun train
    together, and the first writes.
    Raises `InputError`, `MissingPackage` and `TrainingError`, and `OutOfTimeError` where the training was
    stopped by the deadline; another call goes on with it.
    """
    model_dir = model_path(spec, corpus)
    model_dir.mkdir(parents=True, exist_ok=True)
    if not (ranks.leads() or (model_dir / MARKER).exists()):
        return Trained(model_dir, _ask(_request(spec, card, model_dir), progress))
    with _locked(model_dir, progress) as lock:
        if not (model_dir / MARKER).exists():
            request = _request(spec, card, model_dir)
            facts = {**_ask(request, progress, lock, deadline), **_facts(model_dir)}
            write_whole(model_dir / MARKER, json.dumps(facts, indent=1).encode())
            (model_dir / JOURNAL).unlink(missing_ok=True)
    return Trained(model_dir, json.loads((model_dir / MARKER).read_bytes()))


def aligned(
    spec: PipelineSpec, model: Trained, card: str, split: str, progress: Progress
) -> dict[str, tuple[Word, ...]]:
    """Where the reference words of a split of the corpus `card` lie, by utterance id, found by `model`.

    Raises `InputError` for a pipeline that is no `pipelines.protocol.Aligner`, and as `trained` does.
    """
    request = {**_request(spec, card, model.model_dir), "command": "align", "split": split}
    found = _ask(request, progress)["words"]
    return {name: tuple(Word(*word) for word in words) for name, words in found.items()}


def model_path(spec: PipelineSpec, corpus: Corpus) -> Path:
    """Where the model lies: the same for all pipelines with the same code, settings, speech and texts."""
    parts = {
        "use": spec.use,
        "train": spec.train,
        "code": _code_version(spec.use),
        "speech": [corpus.fingerprint(split) for split in ("train", "dev") if corpus.splits.get(split)],
        "files": [_digest(path) for path in _texts(corpus)],
        "normaliser": corpus.normaliser.id,
    }
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
    name = "".join(c if c.isalnum() else "-" for c in spec.use)
    return models_root() / f"{name}-{corpus.name}-{digest[:12]}"


def _texts(corpus: Corpus) -> tuple[Path | None, ...]:
    """What a pipeline can learn from beside the speech."""
    return (corpus.dictionary, corpus.language_model, corpus.text, *corpus.general_text)


def model_hash(model_dir: Path) -> str:
    """SHA-256 over the names and contents of a model's files, in hexadecimal."""
    digest = hashlib.sha256()
    for path in sorted(model_dir.rglob("*")):
        if path.is_file() and path.name not in BESIDE:
            digest.update(f"{path.relative_to(model_dir)}\0{_digest(path)}\0".encode())
    return digest.hexdigest()


def _silent(done: float, total: float, note: str = "", *, stage: str = "") -> None:
    """A `Progress` that nobody reads."""


def _request(spec: PipelineSpec, card: str, model_dir: Path) -> dict[str, Any]:
    return {
        "command": "train",
        "use": spec.use,
        "train": dict(spec.train),
        "corpus": card,
        "model_dir": str(model_dir.resolve()),
    }


def _facts(model_dir: Path) -> dict[str, Any]:
    return {
        "machine": hardware.cpu_model(),
        "code_commit": hardware.code()["commit"],
        "model_hash": model_hash(model_dir),
        "model_dir": model_dir.name,
        "created": clock.wall_stamp(),
        **_curve(model_dir),
    }


def _curve(model_dir: Path) -> dict[str, Any]:
    """The way of the training; nothing where it left none, or one that cannot be read: the model is good."""
    try:
        return {"curve": json.loads((model_dir / CURVE).read_bytes())}
    except (OSError, ValueError):
        return {}


def _ask(
    request: Mapping[str, Any], progress: Progress, lock: int | None = None, deadline: Deadline = NEVER
) -> dict[str, Any]:
    """Runs the worker; it holds `lock` too, so that a kill of this process frees it only with the worker."""
    environment = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.training_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env={**environment, **os.environ},
            pass_fds=() if lock is None else (lock,),
            start_new_session=True,
        )
        try:
            with _ended_late(process, deadline):
                answer = _answer(process, {**request, "end": deadline.end}, progress)
        finally:
            process.kill()
            process.wait()
        if deadline.over and (answer is None or answer.get("kind") == "stopped"):
            raise OutOfTimeError(f"{request['use']} is in training")
        if answer is None:
            complaints.seek(0)
            last = complaints.read().decode(errors="replace").strip().splitlines()[-1:]
            raise TrainingError(f"{request['use']}: the training process died; it said: {' '.join(last)}")
    if "error" in answer:
        kinds: dict[str, type[Exception]] = {"missing": MissingPackage, "input": InputError}
        raise kinds.get(answer["kind"], TrainingError)(answer["error"])
    return dict(answer["done"])


def _answer(
    process: subprocess.Popen[str], request: Mapping[str, Any], progress: Progress
) -> dict[str, Any] | None:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    for line in process.stdout:
        message = json.loads(line)
        if "progress" not in message:
            return dict(message)
        done, total, note = message["progress"]
        progress(done, total, note)
    return None


@contextmanager
def _ended_late(process: subprocess.Popen[str], deadline: Deadline) -> Iterator[None]:
    """Kills what has not stopped a while after the deadline; what it had kept by then is gone on from."""
    if deadline.left is None:
        yield
        return
    timer = threading.Timer(deadline.left + _PATIENCE, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def _locked(model_dir: Path, progress: Progress) -> Iterator[int]:
    descriptor = os.open(model_dir / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(0.0, 1.0, "waiting for another process that trains this model")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _digest(path: Path | None) -> str | None:
    if path is None:
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _code_version(use: str) -> str:
    """Of our own pipelines the version of asrbench; of a stranger's module a hash of its file."""
    module, _ = locate(use)
    if not module.startswith(_OWN):
        sys.path[:] = dict.fromkeys([*sys.path, str(Path.cwd())])
        found = find_spec(module)
        return _digest(Path(found.origin)) or "" if found and found.origin else ""
    try:
        return version("asr-side-by-side")
    except PackageNotFoundError:
        return "unknown"
