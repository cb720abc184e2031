"""The process that trains one model: asked over standard input, answering in JSON lines.

It is apart from the harness because the harness imports no torch, and so that its memory is its own.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from bench import clock, ranks
from bench.deadline import Deadline
from bench.stages import Stages
from data.collection import Corpus
from data.corpus import default_cache, open_corpus
from data.errors import InputError
from data.types import Seconds
from data.verify import verified
from pipelines.protocol import StoppedError
from pipelines.registry import MissingPackage, load_class


def main() -> None:
    """Reads one request (a JSON line), then works until done; ends at once when the asker is gone."""
    request = json.loads(sys.stdin.readline())
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    threading.Thread(target=_end_with_asker, daemon=True).start()
    try:
        answer: dict[str, Any] = {"done": _done(request, answers)}
    except StoppedError:
        answer = {"error": "stopped", "kind": "stopped"}
    except Exception as error:
        kinds: dict[type[Exception], str] = {MissingPackage: "missing", InputError: "input"}
        words = str(error).strip().splitlines() or [""]
        text = words[0] if isinstance(error, InputError) else f"{type(error).__name__}: {words[0]}"
        answer = {"error": text, "kind": kinds.get(type(error), "failed")}
    _say(answers, answer)


def _done(request: dict[str, Any], answers: Any) -> dict[str, Any]:
    pipeline = load_class(request["use"])
    if request["command"] == "probe":
        able = pipeline.capabilities
        return {name: bool(getattr(able, name)) for name in ("trainable", "streaming", "budget", "parallel")}
    corpus = verified(open_corpus(request["corpus"]), cache=default_cache())
    if request["command"] == "align":
        return {"words": _aligned(pipeline, request, corpus)}
    return _trained(pipeline, request, corpus, answers)


def _aligned(pipeline: Any, request: dict[str, Any], corpus: Corpus) -> dict[str, list[Any]]:
    if not hasattr(pipeline, "align_corpus"):
        raise InputError(f"pipeline {request['use']} cannot align words with audio")
    members = corpus.split(request["split"])
    found = pipeline.align_corpus(Path(request["model_dir"]), corpus, members)
    return {name: [(word.text, word.start, word.end) for word in words] for name, words in found.items()}


def _trained(pipeline: Any, request: dict[str, Any], corpus: Corpus, answers: Any) -> dict[str, Any]:
    stages = Stages(Path(request["model_dir"]))
    deadline = Deadline(request.get("end"))
    with stages if ranks.leads() else nullcontext():
        telling = _Telling(stages, answers, deadline)
        pipeline.train(corpus, request["train"], Path(request["model_dir"]), telling)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        **stages.facts(),
        "peak_memory_bytes": max(usage.ru_maxrss for usage in used) * _MAXRSS_UNIT,
        "utterances": len(corpus.train),
        "audio_hours": sum(corpus.audio(utterance).seconds for utterance in corpus.train) / 3600,
    }


class _Telling:
    """Fits `Progress` and `Timed`; passes on ten calls a second at most, and stops the training in time."""

    def __init__(self, stages: Stages, answers: Any, deadline: Deadline) -> None:
        self._stages, self._answers, self._deadline = stages, answers, deadline
        self._last = clock.now() - 1.0

    def __call__(self, done: float, total: float, note: str = "", *, stage: str = "") -> None:
        self._stages.note(stage)
        if clock.now() - self._last >= 0.1 or done >= total:
            self._last = clock.now()
            _say(self._answers, {"progress": [float(done), float(total), note]})
        if self._deadline.over:
            raise StoppedError

    def seconds(self) -> Seconds:
        return self._stages.seconds()


_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


def _say(answers: Any, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _end_with_asker() -> None:
    while os.read(0, 1024):  # not through `sys.stdin`: its lock would stop processes that a training forks
        pass
    os._exit(3)


if __name__ == "__main__":
    main()
