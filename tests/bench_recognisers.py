"""Recognisers for the tests of runs, loaded as ``"bench_recognisers:Class"``."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from data.types import Transcript, Word
from pipelines.hybrid.parallel import side_by_side
from pipelines.null import NullPipeline
from pipelines.protocol import Capabilities


class HtmlPipeline(NullPipeline):
    """Hears markup."""

    def transcribe(self, batch):
        return [Transcript("<script>alert(1)</script> hello") for _ in batch]


class SlowPipeline(NullPipeline):
    """Takes its time: a fifth of a second an utterance."""

    def transcribe(self, batch):
        time.sleep(0.2 * len(batch))
        return [Transcript("hello") for _ in batch]


class BrokenPipeline(NullPipeline):
    """Cannot transcribe."""

    def transcribe(self, batch):
        raise RuntimeError("no ears\nat all")


class OfflinePipeline(NullPipeline):
    """Does not stream."""

    capabilities = Capabilities(streaming=False)


class LearningPipeline(NullPipeline):
    """Learns in steps that it keeps, notes every one, and says what it learnt."""

    capabilities = Capabilities(streaming=True, trainable=True)

    @classmethod
    def train(cls, corpus, config, model_dir, progress):
        steps = int(config.get("steps", 3))
        log = Path(model_dir) / "log.txt"
        while (done := len(log.read_text().splitlines()) if log.exists() else 0) < steps:
            time.sleep(float(config.get("pause", 0.0)))
            with log.open("a") as file:
                file.write(f"{done} by {os.getpid()}\n")
            progress(done + 1, steps, "learning", stage="first" if done < steps // 2 else "second")
        if config.get("fail"):
            raise RuntimeError("cannot learn")
        (Path(model_dir) / "words.txt").write_text(" ".join(sorted({u.speaker or "" for u in corpus.train})))

    @classmethod
    def align_corpus(cls, model_dir, corpus, utterances):
        assert (Path(model_dir) / "words.txt").exists()
        return {u.id: (Word("hello", 0.0, 0.125),) for u in utterances if u.id != "test1"}

    @classmethod
    def load(cls, model_dir, config):
        made = cls()
        made.words = (Path(model_dir) / "words.txt").read_text()
        made.stage = config.get("stage")
        return made

    def facts(self):
        return {"device": "cpu"} | ({"training_stage": self.stage} if self.stage else {})

    def transcribe(self, batch):
        return [Transcript(self.words) for _ in batch]


class HastyPipeline(LearningPipeline):
    """Writes down its budget and the time that it is told."""

    capabilities = Capabilities(streaming=True, trainable=True, budget=True)

    @classmethod
    def train(cls, corpus, config, model_dir, progress):
        told = [config["budget_minutes"]]
        while len(told) < 3:
            told.append(progress.seconds())
            time.sleep(0.01)
        (Path(model_dir) / "words.txt").write_text(" ".join(map(str, told)))
        curve = {"steps": [50, 80], "loss": [2.0, 0.5], "seconds": told[1:], "dev": []}
        (Path(model_dir) / "curve.json").write_text(config.get("curve") or json.dumps(curve))


class ForkingPipeline(NullPipeline):
    """Learns in two processes at a time."""

    capabilities = Capabilities(streaming=True, trainable=True)

    @classmethod
    def train(cls, corpus, config, model_dir, progress):
        def step(share, note, stage):
            progress(share, 1.0, note, stage=stage)

        found = side_by_side([lambda step: "one", lambda step: "two"], step, jobs=2)
        (Path(model_dir) / "words.txt").write_text(" ".join(found))

    @classmethod
    def load(cls, model_dir, config):
        return cls()
