from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.errors import InputError
from data.types import Audio
from pipelines.conformance import check
from pipelines.null import NullPipeline
from pipelines.protocol import Chunk, SessionOverError

CHUNK = Chunk(np.zeros(1600, np.float32), 16000)
LAST = Chunk(np.zeros(0, np.float32), 16000, last=True)


def test_it_keeps_every_promise_of_a_pipeline():
    assert [finding for finding in check(NullPipeline) if finding.status != "pass"] == []


def test_it_hears_nothing():
    pipeline = NullPipeline.load(None, {})
    assert [t.text for t in pipeline.transcribe([Audio(np.ones(10, np.float32), 8000)] * 3)] == ["", "", ""]
    sessions = [pipeline.open_session(), pipeline.open_session()]
    assert [t.final for t in pipeline.advance(sessions, [CHUNK, LAST])] == [False, True]
    with pytest.raises(SessionOverError):
        pipeline.advance(sessions[1:], [CHUNK])


def test_it_takes_no_setting_and_no_training():
    with pytest.raises(InputError, match="no setting 'beam'"):
        NullPipeline.load(None, {"beam": 3})
    with pytest.raises(InputError, match="nothing to train"):
        NullPipeline.train(None, {}, Path(), None)
