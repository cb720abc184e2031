"""What several files of tests share."""

from __future__ import annotations

import pytest
from tones import ToneCorpus, tone_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> ToneCorpus:
    """The language of tones, for all that have no corpus of their own."""
    return tone_corpus(tmp_path_factory.mktemp("tones"))
