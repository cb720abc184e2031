"""torchaudio's pure-Python part works beside any torch."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import torch

from pipelines.torchaudio_python import functional, transforms

ROOT = Path(__file__).parent.parent


def test_transforms_and_functions_compute() -> None:
    mel = transforms.MelSpectrogram(sample_rate=16000, n_fft=512, n_mels=40, center=False)
    assert mel(torch.randn(1600)).shape[0] == 40
    tone = torch.sin(torch.arange(16000) * 2 * torch.pi * 440 / 16000)
    assert functional.resample(tone, 16000, 8000).shape == (8000,)


def test_it_can_be_imported_first_by_anyone_and_the_subpackages_follow() -> None:
    code = (
        "import pipelines.torchaudio_python as t, torchaudio.compliance.kaldi, torchaudio.pipelines;"
        "print(t.has_extension)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in {"True", "False"}


def test_nobody_else_imports_torchaudio() -> None:
    guilty = [
        path.name
        for folder in ("data", "pipelines", "bench", "reports", "results")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "torchaudio_python.py"
        and re.search(r"^\s*(import|from) torchaudio\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert guilty == []
