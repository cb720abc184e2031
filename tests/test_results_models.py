"""The models that come along: whole, small enough, and of a state that this code can decode with."""

from __future__ import annotations

import numpy as np
import pytest

from bench.experiment import read_experiment
from bench.export import LIMIT
from bench.models import known_models, ready
from data.types import Audio
from pipelines.protocol import PipelineSpec
from pipelines.registry import load_class

SPECS = {
    choice.spec.name: choice.spec for choice in read_experiment("an4-finished").pipelines if choice.spec.model
}


@pytest.mark.parametrize("name", known_models())
def test_a_model_that_comes_along_is_whole_and_small(name: str) -> None:
    model = ready(name)
    assert max(path.stat().st_size for path in model.model_dir.rglob("*") if path.is_file()) <= LIMIT
    assert float(model.facts["audio_hours"]) > 0 and float(model.facts["seconds"]) > 0


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_an4_is_decoded_without_a_training(spec: PipelineSpec) -> None:
    pipeline = load_class(spec.use).load(ready(spec.model).model_dir, spec.decode)
    hiss = np.random.default_rng(1).normal(0, 1e-3, 16000).astype(np.float32)
    (heard,) = pipeline.transcribe([Audio(hiss, 16000)])
    assert len(heard.text.split()) < 4
