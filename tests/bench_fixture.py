"""A small corpus and experiments over it, and `asrbench` as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

TESTS = Path(__file__).parent


def make_corpus(folder: Path, utterances: int = 4) -> Path:
    """A manifest corpus: noise, and texts that say ``hello``; two utterances of test are of no use."""
    corpus = folder / "small"
    corpus.mkdir(parents=True)
    generator = np.random.default_rng(1)
    for split in ("train", "test"):
        lines = []
        for number in range(utterances):
            audio = f"{split}{number}.wav"
            soundfile.write(corpus / audio, 0.1 * generator.standard_normal(4800), 16_000)
            words = "hello" + " again" * number
            row = {
                "id": f"{split}{number}",
                "audio": audio,
                "text": words,
                "speaker": f"{split}-speaker{number % 2}",
            }
            lines.append(json.dumps(row))
        if split == "test":
            (corpus / "broken.wav").write_bytes(b"RIFF no audio")
            lines.append(json.dumps({"id": "broken", "audio": "broken.wav", "text": "x", "speaker": "s"}))
            lines.append(json.dumps({"audio": "test0.wav", "id": "empty", "text": "...", "speaker": "s"}))
        (corpus / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return corpus


def experiment(folder: Path, pipelines: dict[str, str], scenarios: str, extra: str = "") -> Path:
    """An experiment over the corpus in `folder`; `pipelines` by name, `extra` belongs to the last of them."""
    parts = ['name = "e"', f'[[corpus]]\nname = "{folder / "small"}"']
    parts += [f'[[pipeline]]\nname = "{name}"\nuse = "{use}"' for name, use in pipelines.items()]
    path = folder / "e.toml"
    path.write_text("\n".join([*parts, extra, scenarios]) + "\n")
    return path


def heeds_interrupts() -> None:
    """A shell's background job ignores SIGINT, and so would all that it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def start(folder: Path, *arguments: str, **options: object) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    environment = {**os.environ, "PYTHONPATH": paths, "ASRBENCH_RUNS": str(folder / "runs")}
    environment |= {"ASRBENCH_CACHE": str(folder / "cache"), "COLUMNS": "200"}
    environment.pop("ASRBENCH_CORPORA", None)
    options.setdefault("preexec_fn", heeds_interrupts)
    return subprocess.Popen(
        [sys.executable, "-m", "bench.cli", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def asrbench(folder: Path, *arguments: str, **options: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    process = start(folder, *arguments, **options)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err
