"""Figures for the report's tests: six pipelines on two corpora, and all that can go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from results.values import AlignedUtterance, Comparison, LoadPoint, Value, ValueStatus

RUN = "20261121-0142-quick-7f3a"
REAL = "20261121-0214-an4-b81c"
HOSTILE = "<script>document.title='owned'</script>"
PIPELINES = (
    "null",
    "hybrid-mono-unigram",
    "hybrid-mono-trigram",
    "e2e-crnn-greedy",
    "e2e-crnn-wfst",
    "peer-pocketsphinx",
)
# WER, words per core stream capacity, RTFx, finalisation p50 ms, cost, memory MB, model MB, training s
FACTS: dict[str, tuple[float, int, float, float, float, float, float, float]] = {
    "null": (100.0, 512, 84000.0, 0.2, 0.0000011, 61.0, 0.0, 0.0),
    "hybrid-mono-unigram": (11.9, 46, 61.4, 38.0, 0.00121, 212.0, 8.4, 402.0),
    "hybrid-mono-trigram": (6.3, 38, 52.0, 44.0, 0.00147, 268.0, 14.2, 402.0),
    "e2e-crnn-greedy": (12.6, 19, 118.0, 92.0, 0.00292, 640.0, 9.3, 1130.0),
    "e2e-crnn-wfst": (10.4, 17, 88.0, 101.0, 0.00333, 668.0, 22.8, 1130.0),
    "peer-pocketsphinx": (38.2, 3, 4.1, 310.0, 0.0211, 174.0, 40.1, 0.0),
}
FACTOR = {"clean": 1.0, "noisy": 2.3, "telephone": 1.5}

Tell = Callable[..., Value]


def values(run: str, corpus: str, pipeline: str, conditions: tuple[str, ...]) -> Iterator[Value]:
    def tell(  # noqa: PLR0917
        condition: str,
        scenario: str,
        metric: str,
        v: float | None,
        low: float | None,
        high: float | None,
        unit: str,
        n: int,
        status: ValueStatus = "ok",
        note: str = "",
    ) -> Value:
        return Value(
            run, pipeline, corpus, "test", condition, scenario, metric, v, low, high, unit, n, status, note
        )

    for condition in conditions:
        if pipeline == "peer-pocketsphinx" and condition == "telephone":
            why = "16 kHz model: 8 kHz refused"
            yield tell(condition, "offline", "wer", None, None, None, "%", 0, "not available", why)
        else:
            yield from _accuracy(tell, corpus, pipeline, condition)
            yield _batch_speed(tell, pipeline, condition)
    yield from _speed(tell, pipeline)
    yield from _latencies(tell, pipeline)
    yield from _footprint(tell, pipeline)


def _accuracy(tell: Tell, corpus: str, pipeline: str, condition: str) -> Iterator[Value]:
    wer = FACTS[pipeline][0] * (0.55 if corpus == "quick" else 1.0)
    rate = min(100.0, wer * FACTOR[condition])
    words = 773 if corpus == "an4" else 2210
    yield tell(condition, "offline", "wer", rate, rate * 0.78, min(100.0, rate * 1.24), "%", words)
    yield tell(condition, "offline", "cer", rate * 0.61, rate * 0.5, rate * 0.75, "%", words * 5)
    for name, share in (("substitutions", 0.62), ("deletions", 0.22), ("insertions", 0.16)):
        count = round(rate * share * words / 100)
        yield tell(condition, "offline", name, count, None, None, "words", words)
    yield tell(condition, "offline", "reference_words", words, None, None, "words", words)


def _batch_speed(tell: Tell, pipeline: str, condition: str) -> Value:
    if pipeline == "hybrid-mono-unigram" and condition == "noisy":
        why = "send lag p99 31 ms > 20 ms"
        return tell(condition, "offline", "rtfx", None, None, None, "x", 0, "invalid", why)
    rtfx = FACTS[pipeline][2]
    return tell(condition, "offline", "rtfx", rtfx, rtfx * 0.97, rtfx * 1.02, "x", 5)


def _speed(tell: Tell, pipeline: str) -> Iterator[Value]:
    streams, rtfx = FACTS[pipeline][1:3]
    yield tell("clean", "single", "rtfx", rtfx * 0.71, rtfx * 0.69, rtfx * 0.73, "x", 5)
    most = streams + streams // 8
    yield tell("clean", "capacity", "streams_per_core", streams, streams, most, "streams", 3)
    none = (None, None, None, "streams", 0, "not measured", "no GPU")
    yield tell("clean", "capacity", "streams_per_gpu", *none)


def _latencies(tell: Tell, pipeline: str) -> Iterator[Value]:
    p50 = FACTS[pipeline][3]
    for prefix, base in (("first_partial", p50 * 5), ("finalisation", p50)):
        for p, times in ((50, 1.0), (90, 1.6), (95, 1.9), (99, 2.8)):
            v = base * times
            yield tell("clean", "stream", f"{prefix}_p{p}", v, v * 0.95, v * 1.08, "ms", 200)
    yield tell("clean", "stream", "send_lag_p99", 1.84, 1.7, 2.2, "ms", 4100)


def _footprint(tell: Tell, pipeline: str) -> Iterator[Value]:
    cost, memory, model, training = FACTS[pipeline][4:]
    yield tell("clean", "offline", "peak_memory", memory * 1e6, None, None, "B", 5)
    yield tell("clean", "offline", "model_bytes", model * 1e6, None, None, "B", 1)
    yield tell("clean", "offline", "training_seconds", training, None, None, "s", 1)
    yield tell("clean", "capacity", "cost_per_audio_hour", cost, cost * 0.9, cost, "USD/h", 3)
    yield tell("clean", "offline", "active_tokens_per_frame", 812.5, None, None, "", 1)


def comparisons() -> Iterator[Comparison]:
    an4, nan = (REAL, "an4", "test"), float("nan")
    quick, peer = (RUN, "quick", "test"), "peer-pocketsphinx"
    hybrid, e2e = "hybrid-mono-trigram", "e2e-crnn-wfst"
    rows = (
        (*an4, "clean", "wer", hybrid, e2e, -4.1, -7.0, -1.2, 0.003, "a", 2.6),
        (*an4, "clean", "wer", peer, hybrid, 31.9, 26.1, 37.2, 0.0, "b", 3.9),
        (*an4, "clean", "wer", peer, e2e, 27.8, 22.0, 33.4, 0.0, "b", 3.9),
        (*quick, "clean", "wer", hybrid, e2e, -2.3, -3.1, -1.4, 0.0002, "a", 1.1),
        (*quick, "noisy", "wer", hybrid, e2e, 0.7, -0.9, 2.2, 0.41, "tie", 1.9),
        (*quick, "telephone", "wer", hybrid, e2e, 3.2, 1.8, 4.7, 0.0004, "b", 1.6),
        (*quick, "clean", "wer", "e2e-crnn-greedy", e2e, 1.2, nan, nan, nan, "inconclusive", nan),
    )
    return (Comparison(*row, "MAPSSWE") for row in rows)


def utterances() -> Iterator[AlignedUtterance]:
    for pipeline in ("hybrid-mono-trigram", "e2e-crnn-wfst"):
        yield AlignedUtterance(
            REAL,
            pipeline,
            "an4",
            "test",
            "clean",
            "an406-fcaw-b",
            "fcaw",
            4,
            (
                ("substitute", "rubout", "robert"),
                ("equal", "g", "g"),
                ("delete", "m", ""),
                ("equal", "e", "e"),
                ("equal", "f", "f"),
                ("insert", "", "the"),
                ("substitute", "three", "tree"),
                ("equal", "nine", "nine"),
            ),
        )
        yield AlignedUtterance(
            RUN,
            pipeline,
            "quick",
            "test",
            "noisy",
            "q-0193",
            "voice-311",
            3,
            (
                ("equal", "please", "please"),
                ("substitute", HOSTILE, "transfer"),
                ("equal", "two", "two"),
                ("delete", "hundred", ""),
                ("equal", "pounds", "pounds"),
                ("insert", "", "and"),
                ("equal", "to", "to"),
                ("equal", "aberdeen", "aberdeen"),
            ),
        )


def load_points() -> Iterator[LoadPoint]:
    for run, corpus in ((RUN, "quick"), (REAL, "an4")):
        for pipeline in PIPELINES:
            limit, base = FACTS[pipeline][1], FACTS[pipeline][3]
            for n in sorted({1, max(1, limit // 4), max(1, limit // 2), limit, limit + max(1, limit // 8)}):
                p50 = base * (1 + 0.6 * (n / limit) ** 3)
                p99 = min(2.8 * p50, 480.0) if n <= limit else 1240.0
                yield LoadPoint(
                    run,
                    pipeline,
                    corpus,
                    "clean",
                    n,
                    p50,
                    p50 * 1.5,
                    p50 * 1.9,
                    max(p50, p99),
                    200,
                    1.9,
                    "meets" if n <= limit else "fails",
                    "" if n <= limit else "finalisation p99 1240 ms > 500 ms",
                )
        yield LoadPoint(
            run, "null", corpus, "clean", 640, 0.4, 0.9, 2.0, 31.0, 200, 27.5, "invalid", "send lag p99"
        )
