"""A realistic summary for the report's tests: two corpora, six pipelines, and all that can go wrong."""

from __future__ import annotations

from collections.abc import Iterator

from results.records import Cell, RunRecord
from results.values import AlignedUtterance, Comparison, LoadPoint, Summary, Value, ValueStatus

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


def make_summary() -> Summary:
    """Two runs, one corpus each, every kind of trouble."""
    corpora = ((RUN, "quick", tuple(FACTOR)), (REAL, "an4", ("clean",)))
    values: list[Value] = []
    for run, corpus, conditions in corpora:
        for pipeline in PIPELINES:
            values += _values(run, corpus, pipeline, conditions)
    return Summary(
        runs=(_record(RUN, "quick", "quick"), _record(REAL, "an4", "an4")),
        values=tuple(values),
        comparisons=tuple(_comparisons()),
        utterances=tuple(_utterances()),
        load_points=tuple(_load_points()),
    )


def small_summary() -> Summary:
    """One run, one pipeline, no capacity."""
    values = tuple(
        v
        for v in _values(REAL, "an4", "hybrid-mono-trigram", ("clean",))
        if v.scenario == "offline" and not v.metric.startswith("streams")
    )
    return Summary(runs=(_record(REAL, "an4", "an4"),), values=values)


def empty_summary() -> Summary:
    return Summary(runs=(), values=())


def hostile_summary() -> Summary:
    """Markup in every name that a person can choose."""
    name, corpus = f"hybrid-{HOSTILE}", f"an4{HOSTILE}"
    values = tuple(_values(REAL, corpus, "hybrid-mono-trigram", ("clean",)))
    renamed = tuple(_renamed(v, name) for v in values) + tuple(
        _values(REAL, corpus, "e2e-crnn-wfst", ("clean",))
    )
    points = tuple(
        LoadPoint(REAL, name, corpus, "clean", n, 40.0, 60.0, 80.0, 90.0 * n, 200, 2.0, "meets", HOSTILE)
        for n in (1, 2, 4)
    )
    utterance = AlignedUtterance(
        REAL,
        name,
        corpus,
        "test",
        "clean",
        HOSTILE,
        HOSTILE,
        1,
        (("substitute", HOSTILE, "</svg><img src=x>"),),
    )
    record = _record(REAL, HOSTILE, corpus)
    return Summary((record,), renamed, (), (utterance,), points)


def _renamed(v: Value, pipeline: str) -> Value:
    return Value(
        v.run,
        pipeline,
        v.corpus,
        v.split,
        v.condition,
        v.scenario,
        v.metric,
        v.value,
        v.low,
        v.high,
        v.unit,
        v.n,
        v.status,
        v.note,
    )


def _values(run: str, corpus: str, pipeline: str, conditions: tuple[str, ...]) -> Iterator[Value]:
    wer, streams, rtfx, p50, cost, memory, model, training = FACTS[pipeline]
    if corpus == "quick":
        wer *= 0.55

    def value(  # noqa: PLR0917
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
            yield value(
                condition,
                "offline",
                "wer",
                None,
                None,
                None,
                "%",
                0,
                "not available",
                "16 kHz model: 8 kHz refused",
            )
            continue
        rate = min(100.0, wer * FACTOR[condition])
        words = 773 if corpus == "an4" else 2210
        yield value(condition, "offline", "wer", rate, rate * 0.78, min(100.0, rate * 1.24), "%", words)
        yield value(condition, "offline", "cer", rate * 0.61, rate * 0.5, rate * 0.75, "%", words * 5)
        for name, share in (("substitutions", 0.62), ("deletions", 0.22), ("insertions", 0.16)):
            yield value(
                condition, "offline", name, round(rate * share * words / 100), None, None, "words", words
            )
        yield value(condition, "offline", "reference_words", words, None, None, "words", words)
        if pipeline == "hybrid-mono-unigram" and condition == "noisy":
            yield value(
                condition,
                "offline",
                "rtfx",
                None,
                None,
                None,
                "x",
                0,
                "invalid",
                "send lag p99 31 ms > 20 ms",
            )
        else:
            yield value(condition, "offline", "rtfx", rtfx, rtfx * 0.97, rtfx * 1.02, "x", 5)
    yield value("clean", "single", "rtfx", rtfx * 0.71, rtfx * 0.69, rtfx * 0.73, "x", 5)
    yield value(
        "clean", "capacity", "streams_per_core", streams, streams, streams + streams // 8, "streams", 3
    )
    yield value(
        "clean", "capacity", "streams_per_gpu", None, None, None, "streams", 0, "not measured", "no GPU"
    )
    for prefix, base in (("first_partial", p50 * 5), ("finalisation", p50)):
        for p, times in ((50, 1.0), (90, 1.6), (95, 1.9), (99, 2.8)):
            v = base * times
            yield value("clean", "stream", f"{prefix}_p{p}", v, v * 0.95, v * 1.08, "ms", 200)
    yield value("clean", "stream", "send_lag_p99", 1.84, 1.7, 2.2, "ms", 4100)
    yield value("clean", "offline", "peak_memory", memory * 1e6, None, None, "B", 5)
    yield value("clean", "offline", "model_bytes", model * 1e6, None, None, "B", 1)
    yield value("clean", "offline", "training_seconds", training, None, None, "s", 1)
    yield value("clean", "capacity", "cost_per_audio_hour", cost, cost * 0.9, cost, "USD/h", 3)
    yield value("clean", "offline", "active_tokens_per_frame", 812.5, None, None, "", 1)


def _comparisons() -> Iterator[Comparison]:
    pair = ("hybrid-mono-trigram", "e2e-crnn-wfst")
    yield Comparison(REAL, "an4", "test", "clean", "wer", *pair, -4.1, -7.0, -1.2, 0.003, "a", 2.6, "MAPSSWE")
    yield Comparison(
        REAL,
        "an4",
        "test",
        "clean",
        "wer",
        "peer-pocketsphinx",
        pair[0],
        31.9,
        26.1,
        37.2,
        0.0,
        "b",
        3.9,
        "MAPSSWE",
    )
    yield Comparison(
        REAL,
        "an4",
        "test",
        "clean",
        "wer",
        "peer-pocketsphinx",
        pair[1],
        27.8,
        22.0,
        33.4,
        0.0,
        "b",
        3.9,
        "MAPSSWE",
    )
    yield Comparison(
        RUN, "quick", "test", "clean", "wer", *pair, -2.3, -3.1, -1.4, 0.0002, "a", 1.1, "MAPSSWE"
    )
    yield Comparison(RUN, "quick", "test", "noisy", "wer", *pair, 0.7, -0.9, 2.2, 0.41, "tie", 1.9, "MAPSSWE")
    yield Comparison(
        RUN, "quick", "test", "telephone", "wer", *pair, 3.2, 1.8, 4.7, 0.0004, "b", 1.6, "MAPSSWE"
    )
    yield Comparison(
        RUN,
        "quick",
        "test",
        "clean",
        "wer",
        "e2e-crnn-greedy",
        pair[1],
        1.2,
        float("nan"),
        float("nan"),
        float("nan"),
        "inconclusive",
        float("nan"),
        "MAPSSWE",
    )


def _utterances() -> Iterator[AlignedUtterance]:
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


def _load_points() -> Iterator[LoadPoint]:
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


def _record(run: str, experiment: str, corpus: str) -> RunRecord:
    cells = (
        Cell(
            "hybrid-mono-trigram",
            corpus,
            "test",
            "clean",
            "capacity",
            chunk_ms=100.0,
            lm="trigram",
            facts={"device": "cpu", "cores": 1.0},
            training={"seconds": 402.0, "audio_hours": 1.5},
        ),
        Cell(
            "e2e-crnn-wfst",
            corpus,
            "test",
            "clean",
            "capacity",
            chunk_ms=100.0,
            lm="trigram",
            facts={"device": "cpu", "lookahead_ms": 320.0},
            training={"seconds": 1130.0, "audio_hours": 1.5},
        ),
        Cell(
            "hybrid-mono-unigram", corpus, "test", "noisy", "stream", "invalid", "send lag p99 31 ms > 20 ms"
        ),
        Cell(
            "peer-pocketsphinx",
            corpus,
            "test",
            "telephone",
            "offline",
            "skipped",
            "8 kHz audio, 16 kHz model",
        ),
        Cell("e2e-crnn-greedy", corpus, "test", "noisy", "server", "failed", f"worker ended: {HOSTILE}"),
    )
    return RunRecord(
        run=run,
        experiment=experiment,
        created="2026-11-21T01:42:07Z",
        config={
            "name": experiment,
            "seed": 1,
            "prices": "prices-2026-11",
            "corpus": [{"name": corpus, "split": "test", "conditions": ["clean", "noisy", "telephone"]}],
            "scenario": [
                {"kind": "offline", "repeats": 5},
                {"kind": "capacity", "slo": {"finalisation_p99_ms": 500}},
            ],
        },
        machine={
            "cpu": "AMD EPYC 7763 64-Core Processor",
            "physical_cores": 2,
            "memory_bytes": 8_326_000_000,
            "governor": "performance",
            "gpu": None,
            "clock_resolution_ns": 1,
        },
        versions={"python": "3.11.9", "numpy": "1.26.4", "torch": "2.13.0+cpu", "kaldi-decoder": "0.3.1"},
        code={"commit": "36c06f1a9b", "dirty": "no"},
        seeds={"bootstrap": 1, "training": 1, "load": 1},
        corpora={
            corpus: {
                "hash": "sha256:5d0c9f",
                "hours": 0.21,
                "speakers": 10,
                "utterances": 130,
                "licence": "CC0",
                "normaliser": "english-whisper 1",
            }
        },
        prices={"card": "prices-2026-11", "currency": "USD", "core_hour": 0.0424, "as_of": "2026-11-01"},
        cells=cells,
    )


def strange_summary() -> Summary:
    """What no run should give and one might: not-a-number, infinity, unknown metrics, empty names."""
    places = (
        (float("nan"), "ok"),
        (float("inf"), "ok"),
        (None, "ok"),
        (-1.5, "ok"),
        (0.0, "ok"),
        (7.0, "invalid"),
    )
    values = tuple(
        Value("r", pipeline, "c", "", "", "offline", metric, v, v, v, unit, 0, status)  # type: ignore[arg-type]
        for pipeline in ("hybrid-a", "e2e-b", "stranger$x_{1}$", "语音-识别")
        for metric in ("wer", "cer", "streams_per_gpu", "rtfx", "cost_per_audio_hour", "unheard_of")
        for v, status in places[: 1 + len(pipeline) % 6]
        for unit in ("%", "parsecs")
    )
    nan = float("nan")
    comparison = Comparison(
        "r", "c", "", "", "wer", "hybrid-a", "e2e-b", nan, nan, nan, nan, "not comparable", nan, ""
    )
    point = LoadPoint("r", "hybrid-a", "c", "", 0, 0.0, 0.0, nan, 0.0, 0, nan, "fails", "")
    return Summary((), values, (comparison,), (), (point,))
