"""The networks of a hybrid on a small language of tones: taught after a kill, tuned, streaming."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from network_fixture import (
    CONFIG,
    EPOCHS,
    NETWORKS,
    OFFLINE,
    STREAMING,
    TRAINED,
    Training,
    killed_and_gone_on,
)
from tones import RATE, SENTENCES, SPEECH, ToneCorpus, chunks, streamed

from data.errors import InputError
from data.types import Audio, Transcript
from pipelines.features import features
from pipelines.hybrid import store
from pipelines.hybrid.listening import Listener
from pipelines.hybrid.network import Ensemble, Network
from pipelines.hybrid.network_store import load_network, read_tensors
from pipelines.hybrid.pipeline import HybridPipeline
from pipelines.hybrid.prepare import trigram
from pipelines.hybrid.tune import NETWORK_WEIGHTS
from pipelines.texts import corpus_model


@pytest.fixture(scope="module")
def training(corpus: ToneCorpus, tmp_path_factory: pytest.TempPathFactory) -> Training:
    return killed_and_gone_on(corpus, tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def loaded(training: Training) -> dict[str, HybridPipeline]:
    names = (*NETWORKS, "si", "sat")
    return {name: HybridPipeline.load(training.folder, {"model": name}) for name in names}


def test_a_kill_costs_what_was_under_way_alone(training: Training) -> None:
    assert store.network_file("tdnn") in training.left
    assert store.network_file("tdnn-sat") not in training.left
    assert store.MODEL not in training.left
    epochs = [
        (stage, note.split(": ")[-1].split(",")[0]) for stage, note in training.notes if "epoch" in note
    ]
    assert epochs == [("tdnn-sat", f"epoch {n} of {EPOCHS}") for n in range(3, EPOCHS + 1)]
    assert (training.folder / store.network_file("tdnn")).read_bytes() == training.first


def test_nothing_stays_of_the_work(training: Training) -> None:
    files = {path.name for path in training.folder.iterdir()}
    assert not [name for name in files if name.startswith(("stage-", "tuning-"))]
    assert not [name for name in files if name.endswith((".checkpoint", ".part"))]


def test_an_adapted_network_is_the_mean_of_its_members(training: Training) -> None:
    both = load_network(training.folder / store.network_file("tdnn-sat"))
    assert isinstance(both, Ensemble)
    x = np.random.default_rng(5).normal(size=(30, len(both.members[0].mean))).astype(np.float32)
    one, other = (member.log_likelihoods(x) for member in both.members)
    assert np.abs(one - other).max() > 0.1
    np.testing.assert_allclose(both.log_likelihoods(x), (one + other) / 2, atol=1e-5)
    assert isinstance(load_network(training.folder / store.network_file("tdnn")), Network)


def test_the_language_model_that_stays_has_learned_from_dev(
    training: Training, corpus: ToneCorpus, tmp_path: Path
) -> None:
    words = store.load_json(training.folder / store.MODEL)["pronunciations"]
    joined = corpus_model(corpus, join_dev=True)
    assert joined.model.tables != joined.unheard.tables
    trigram(joined.model, words, tmp_path / "joined.arpa")
    kept = training.folder / store.arpa_file("trigram")
    assert kept.read_text() == (tmp_path / "joined.arpa").read_text()


def test_all_that_was_asked_for_is_tuned(training: Training) -> None:
    tuned = store.load_json(training.folder / store.MODEL)["tuned"]
    assert list(tuned) == ["mono", "tri", "mllt", "si", "sat", *TRAINED]
    for name in TRAINED:
        found = tuned[name]["trigram"]
        assert found["weight"] in NETWORK_WEIGHTS
        assert found["wer"] < 10.0
        assert found["tokens_per_frame"] > 1.0


@pytest.mark.parametrize("model", NETWORKS)
def test_learns_the_language_of_tones(loaded: dict[str, HybridPipeline], model: str) -> None:
    found = loaded[model].transcribe([Audio(samples, RATE, "s") for samples in SPEECH])
    assert [t.text for t in found] == [" ".join(s) for s in SENTENCES]
    for transcript in found:
        assert transcript.words[0].start == pytest.approx(0.15, abs=0.05)


def test_the_parts_of_a_model_are_those_of_its_name(loaded: dict[str, HybridPipeline]) -> None:
    """Mixtures of adapted speech beside a network of adapted speech, and of speech as it is otherwise.

    Each counts at the weight that was tuned for it alone.
    """
    x = np.random.default_rng(1).normal(0, 1, (30, 40)).astype(np.float32)
    for network, mixtures in (("tdnn", "si"), ("tdnn-sat", "sat")):
        fused, alone, beside = (loaded[m]._parts for m in (f"{network}+gmm", network, mixtures))
        scaled = [part.model.log_likelihoods(x) / part.weight for part in (alone, beside)]
        together = fused.model.log_likelihoods(x) / fused.weight
        np.testing.assert_allclose(together, sum(scaled) / 2, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("milliseconds", [10, 40, 160, 640])
@pytest.mark.parametrize("model", STREAMING)
def test_streams_say_what_the_whole_says(
    loaded: dict[str, HybridPipeline], model: str, milliseconds: int
) -> None:
    pipeline = loaded[model]
    whole = pipeline.transcribe([Audio(samples, RATE) for samples in SPEECH])
    for samples, expected in zip(SPEECH, whole, strict=True):
        *partial, final = streamed(pipeline, samples, RATE * milliseconds // 1000)
        assert final == expected
        assert not any(transcript.final for transcript in partial)


@pytest.mark.parametrize("milliseconds", [40, 160])
@pytest.mark.parametrize("model", STREAMING)
def test_sessions_side_by_side_hear_as_alone(
    loaded: dict[str, HybridPipeline], model: str, milliseconds: int
) -> None:
    """Two of the same speech begin together, the others later; each ends on its own."""
    pipeline = loaded[model]
    speech = [SPEECH[2], SPEECH[2], SPEECH[0], SPEECH[1]]
    waiting = [chunks(samples, RATE * milliseconds // 1000) for samples in speech]
    sessions = [pipeline.open_session() for _ in speech]
    heard: list[list[Transcript]] = [[] for _ in speech]
    turn = 0
    while any(waiting):
        due = [i for i in range(len(speech)) if waiting[i] and turn >= 2 * max(0, i - 1)]
        found = pipeline.advance([sessions[i] for i in due], [waiting[i].pop(0) for i in due])
        for i, transcript in zip(due, found, strict=True):
            heard[i].append(transcript)
        turn += 1
    assert heard == [streamed(pipeline, samples, RATE * milliseconds // 1000) for samples in speech]


@pytest.mark.parametrize("model", STREAMING)
def test_a_network_waits_as_long_as_it_says(
    loaded: dict[str, HybridPipeline], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deltas and window 55 ms, three spliced frames, and 2 + 1 + 5 x 3 of the network."""
    pipeline, counts, accept = loaded[model], [], Listener.accept

    def counted(listener: Listener, scores: np.ndarray) -> None:
        counts.append(len(scores))
        accept(listener, scores)

    monkeypatch.setattr(Listener, "accept", counted)
    streamed(pipeline, SPEECH[2], RATE // 100)
    first = next(i for i, count in enumerate(counts) if count)
    assert pipeline.capabilities.streaming
    assert pipeline.capabilities.look_ahead_ms == 265.0
    assert 10 * first < 10 + 265 <= 10 * (first + 1)  # of audio heard when the first frame is scored
    assert set(counts[first:-1]) == {1}


@pytest.mark.parametrize("model", OFFLINE)
def test_networks_of_adapted_speech_have_no_streams(loaded: dict[str, HybridPipeline], model: str) -> None:
    capabilities = loaded[model].capabilities
    assert (capabilities.streaming, capabilities.look_ahead_ms) == (False, None)
    assert capabilities.speaker_labels
    with pytest.raises(InputError, match="no streams"):
        loaded[model].open_session()


def test_parameters_are_counted(training: Training, loaded: dict[str, HybridPipeline]) -> None:
    counts = {name: pipeline.facts()["parameters"] for name, pipeline in loaded.items()}
    for network, mixtures in (("tdnn", "si"), ("tdnn-sat", "sat")):
        tensors, _ = read_tensors(training.folder / store.network_file(network))
        weights = {name: t for name, t in tensors.items() if ".weights." in f".{name}"}
        trained = sum(t.numel() for name, t in weights.items() if not name.endswith(_FOLLOWED))
        assert counts[network] == trained > 100_000
        assert counts[f"{network}+gmm"] == trained + counts[mixtures]


_FOLLOWED = ("running_mean", "running_var", "num_batches_tracked")


@pytest.mark.parametrize("model", NETWORKS)
def test_model_bytes_are_those_of_the_files_it_cannot_do_without(
    training: Training, loaded: dict[str, HybridPipeline], model: str, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(training.folder, folder)
    needed = 0
    for path in sorted(folder.iterdir()):
        size = path.stat().st_size
        aside = path.rename(tmp_path / path.name)
        try:
            HybridPipeline.load(folder, {"model": model})
        except InputError as error:
            assert path.name in str(error)
            aside.rename(path)
            needed += size
    assert loaded[model].facts()["model_bytes"] == needed
    audio = [Audio(SPEECH[1], RATE)]
    assert HybridPipeline.load(folder, {"model": model}).transcribe(audio) == loaded[model].transcribe(audio)


def test_the_stages_before_are_told(loaded: dict[str, HybridPipeline]) -> None:
    for name in NETWORKS:
        facts = loaded[name].facts()
        assert facts["model"] == name
        assert facts["training_stage"] == f"mono tri mllt sat {name.removesuffix('+gmm')}"


def test_the_dev_speech_is_not_learnt_from(corpus: ToneCorpus, training: Training) -> None:
    """Copies that nothing disturbs are the speech itself: each utterance is learnt twice, none of dev."""
    settings, normalisation = store.load_features(training.folder / store.FEATURES)
    _, _, front = store.load_states(training.folder / store.acoustic_file("tdnn"))
    train, dev = training.taught[0]
    assert dev is not None
    for part, utterances, times in ((train, corpus.train, 2), (dev, corpus.dev, 1)):
        made = [features(corpus.speech[u.id], settings, normalisation) for u in utterances]
        expected = Counter(front.whole(x).tobytes() for x in made)
        assert Counter(x.tobytes() for x in part.features) == {x: times * n for x, n in expected.items()}


def test_networks_of_adapted_speech_learn_from_adapted_speech(training: Training) -> None:
    (plain, _), (adapted, _) = training.taught[0], training.taught[-1]
    for x, y, s, t in zip(plain.features, adapted.features, plain.senones, adapted.senones, strict=True):
        assert x.shape == y.shape
        assert np.abs(x - y).mean() > 0.01
        np.testing.assert_array_equal(s, t)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"networks": ["tdn"]}, "unknown network 'tdn'; did you mean 'tdnn'?"),
        ({"networks": ["tdnn", "cnn+gmm"]}, "unknown network 'cnn+gmm'"),
        ({"networks": ["cnn-sat"]}, "unknown network 'cnn-sat'"),
        ({"networks": ["tdnn"], "generation": "mllt"}, "set generation = 'sat'"),
        ({"networks": "tdnn"}, "a list of strings"),
        ({"networks": ["tdnn"], "epochs": -1}, "epochs"),
        ({"networks": ["tdnn"], "network_copies": -1}, "network_copies"),
        ({"voices": -1}, "voices of 0 or more"),
        ({"jobs": 0}, "jobs of 1 or more"),
        ({"dev_seconds": 0}, "dev_seconds over 0"),
    ],
)
def test_wrong_settings_are_one_line(
    corpus: ToneCorpus, tmp_path: Path, config: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError) as error:
        HybridPipeline.train(corpus, config, tmp_path / "model", lambda *_, **__: None)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "model").exists()


def test_a_network_that_was_not_trained_is_named(training: Training) -> None:
    with pytest.raises(InputError, match=r"no model 'lstm' was trained .*there are: mono, .* tdnn-sat\+gmm"):
        HybridPipeline.load(training.folder, {"model": "lstm"})


def test_too_many_unaligned_stop_the_training_after_the_monophones(
    corpus: ToneCorpus, tmp_path: Path
) -> None:
    for utterance in corpus.train[:3]:
        corpus = corpus.with_speech(utterance, corpus.speech[utterance.id][: RATE // 20])
    stages: list[str] = []

    def told(done: float, total: float, note: str = "", *, stage: str = "") -> None:
        stages.append(stage)

    with pytest.raises(InputError, match=r"3 of 40 training utterances .* too short"):
        HybridPipeline.train(corpus, {**CONFIG, "iterations": 2}, tmp_path, told)
    assert "mono" in stages
    assert not {"tri", "mllt", "sat", "tdnn", "tuning"} & set(stages)
