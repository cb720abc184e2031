"""A small training, also as one of several processes: ``python -m ranks_training FOLDER '{"epochs": 2}'``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from safetensors import safe_open
from tone_letters import SENTENCES, TINY, Tones

from pipelines.e2e import device
from pipelines.e2e.pipeline import EndToEndPipeline

CONFIG = {**TINY, "epochs": 4, "flat_epochs": 1, "plain_epochs": 2, "batch_seconds": 5.0}
CONFIG |= {"checkpoint_steps": 1, "score_epochs": 2, "learning_rate": 0.003}


def course_of(folder: Path, **config: object) -> dict[str, Any]:
    """Of a training in `folder`: what its last checkpoint remembers, beside the weights."""
    device.cpu_has_bfloat16 = lambda: False  # sums of other parts differ in float32 by less than is tested
    found = {}

    def progress(done: float, total: float, note: str = "", *, stage: str = "") -> None:
        if (folder / "checkpoint.safetensors").exists():
            with safe_open(folder / "checkpoint.safetensors", "pt") as stored:
                found.update(json.loads(stored.metadata()["course"]))

    EndToEndPipeline.train(Tones(SENTENCES), {**CONFIG, **config}, folder, progress)
    return found


if __name__ == "__main__":
    print(json.dumps(course_of(Path(sys.argv[1]), **json.loads(sys.argv[2]))))
