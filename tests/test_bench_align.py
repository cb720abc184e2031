"""`asrbench align`: words of a corpus in its audio, by a small model of tones; who has none is told why."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from bench_fixture import asrbench
from hybrid_trainings import quiet
from tones import RATE, SENTENCES, SPEECH, ToneCorpus

from bench.word_times import read_word_times
from pipelines.hybrid.pipeline import HybridPipeline

CONFIG = {"lms": ["trigram"], "generation": "mono", "gaussians": 40, "iterations": 6, "members": 1, "jobs": 1}
SAID = dict(zip(("one", "two", "three"), SENTENCES, strict=True))


@pytest.fixture(scope="module")
def model(corpus: ToneCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    HybridPipeline.train(corpus, {**CONFIG, "use_dev": False}, folder, quiet)
    return folder


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A corpus whose audio has twice the model's rate, with one utterance for each way to fail."""
    corpus = tmp_path / "calls"
    (corpus / "audio").mkdir(parents=True)
    texts = {name: " ".join(words) for name, words in SAID.items()}
    sounds = dict(zip(SAID, SPEECH, strict=True))
    texts |= {"short": "abba bed cab dac", "strange": "abba vision"}
    sounds |= {"short": sounds["one"][: RATE // 8], "strange": sounds["one"]}
    rows = []
    for name, samples in sounds.items():
        soundfile.write(corpus / "audio" / f"{name}.wav", np.repeat(samples, 2), 2 * RATE)
        rows.append({"id": name, "audio": f"audio/{name}.wav", "text": texts[name], "speaker": "s"})
    (corpus / "audio" / "broken.wav").write_bytes(b"RIFF no audio")
    rows.append({"id": "broken", "audio": "audio/broken.wav", "text": "abba", "speaker": "s"})
    (corpus / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_words_are_found_and_the_rest_is_told_why(desk: Path, model: Path) -> None:
    code, out, err = asrbench(desk, "align", str(model), "calls", "-o", "found/words.json")
    assert (code, err) == (0, "")
    *reasons, summary = out.splitlines()
    assert summary == "found/words.json: 3 utterances aligned, 3 could not be"
    told = {line.removeprefix("not aligned ").split(":")[0]: line for line in reasons}
    assert told.keys() == {"short", "strange", "broken"}
    assert "too short for its words" in told["short"]
    assert "'vision' cannot be said with the phones" in told["strange"]
    assert "broken.wav" in told["broken"]
    times = read_word_times(desk / "found" / "words.json")
    assert times.source == f"aligned by {model.name}"
    assert {name: [w.text for w in words] for name, words in times.words.items()} == SAID
    for words in times.words.values():
        edges = [t for word in words for t in (word.start, word.end)]
        assert edges == sorted(edges)
        assert words[0].start == pytest.approx(0.15, abs=0.05)  # the pause before the first tone
        assert all(0.1 < word.end - word.start < 0.5 for word in words)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere", "calls"], "no trained hybrid here"),
        (["MODEL", "nowhere"], "nowhere"),
        (["MODEL", "calls", "--split", "tst"], "did you mean 'test'"),
        (["MODEL", "calls", "-o", "calls/test.jsonl/x.json"], "calls/test.jsonl"),
    ],
)
def test_what_cannot_be_aligned_is_one_line(
    desk: Path, model: Path, arguments: list[str], complaint: str
) -> None:
    given = [str(model) if argument == "MODEL" else argument for argument in arguments]
    code, _, err = asrbench(desk, "align", *given)
    assert code == 2
    assert len(err.strip().splitlines()) == 1, err
    assert err.startswith("asrbench: ")
    assert complaint in err


def test_nothing_aligned_writes_nothing(desk: Path, model: Path) -> None:
    rows = (desk / "calls" / "test.jsonl").read_text().splitlines(keepends=True)
    (desk / "calls" / "test.jsonl").write_text("".join(row for row in rows if '"s' in row[:10]))
    code, _, err = asrbench(desk, "align", str(model), "calls", "-o", "words.json")
    assert code == 2
    assert "nothing of the split 'test'" in err
    assert not (desk / "words.json").exists()
