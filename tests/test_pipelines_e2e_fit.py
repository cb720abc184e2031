"""The loop of a training: what is kept, what ends it, and what it tells of its way."""

from __future__ import annotations

import json
from pathlib import Path

import jiwer
import pytest
import torch
from tone_letters import RATE, SENTENCES, TINY, Tones, quiet, spoken

from data.errors import InputError
from data.types import Audio
from pipelines.e2e.features import LogMel
from pipelines.e2e.fit import BUDGET, EPOCHS, PATIENCE, Fit
from pipelines.e2e.models.network import Window
from pipelines.e2e.models.registry import build
from pipelines.e2e.pace import Pace
from pipelines.e2e.pipeline import EndToEndPipeline
from pipelines.e2e.settings import TrainSettings, train_settings
from pipelines.e2e.speech import Speech, load_speech
from pipelines.e2e.tokens import Tokens
from pipelines.e2e.train import Trainer, plan
from pipelines.protocol import StoppedError

CPU = torch.device("cpu")
LETTERS = Tokens(("", " ", "a", "b", "c"))
SHORT = {**TINY, "epochs": 4, "flat_epochs": 1, "plain_epochs": 1, "batch_seconds": 4.0, "dropout": 0.1}


def card(folder: Path) -> dict:
    return json.loads((folder / "card.json").read_text())["training"]


@pytest.fixture(scope="module")
def front() -> LogMel:
    torch.set_num_threads(1)
    return LogMel(RATE)


@pytest.fixture(scope="module")
def speech(front: LogMel) -> Speech:
    corpus = Tones(SENTENCES)
    found = load_speech(corpus, corpus.train, LETTERS, front, quiet, subsampling=4)
    front.learn(example.variants[0].float() for example in found.examples)
    return found


def test_many_threads_load_the_same_features_in_the_same_order(front: LogMel, speech: Speech) -> None:
    corpus = Tones(SENTENCES)
    found = load_speech(corpus, corpus.train, LETTERS, front, quiet, subsampling=4, threads=3)
    assert [example.id for example in found.examples] == [example.id for example in speech.examples]
    for one, other in zip(found.examples, speech.examples, strict=True):
        assert all(map(torch.equal, one.variants, other.variants)) and one.labels == other.labels


def fitting(speech: Speech, front: LogMel, checkpoint: Path, settings: TrainSettings, **parts: object) -> Fit:
    torch.manual_seed(1)
    sizes = {"tokens": len(LETTERS), "channels": 8, "hidden": 4, "blocks": 1}
    network = build("conv_recurrent", sizes)
    steps = plan(speech, settings)
    trainer = Trainer(network, settings, len(steps), Window(6, 8), CPU, symbols=LETTERS.symbols)
    parts = {"progress": quiet, "pace": Pace(len(steps)), **parts}
    return Fit(trainer, speech, front, LETTERS, steps, checkpoint, **parts)


class Verdicts:
    """A judge whose verdicts are known beforehand; it remembers what it was shown."""

    def __init__(self, errors: list[float]) -> None:
        self.left, self.shown = list(errors), []

    def errors(self, weights: dict[str, torch.Tensor]) -> float:
        self.shown.append({name: value.clone() for name, value in weights.items()})
        return self.left.pop(0)


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_the_weights_with_the_fewest_errors_are_kept_and_patience_ends_the_training(
    speech: Speech, front: LogMel, tmp_path: Path
) -> None:
    settings = train_settings({**SHORT, "epochs": 9, "score_epochs": 1, "patience": 2})
    judge = Verdicts([1.0, 1.0, 1.0, 0.5, 0.2, 0.3, 0.2, 0.1, 0.1])
    run = fitting(speech, front, tmp_path / "a", settings, judge=judge)
    assert run.run() == PATIENCE
    assert [score.errors for score in run.trainer.course.scores] == [1.0, 1.0, 1.0, 0.5, 0.2, 0.3, 0.2]
    assert same(run.weights, judge.shown[4]) and not same(run.weights, judge.shown[5])
    again = fitting(speech, front, tmp_path / "a", settings, judge=Verdicts([]))
    assert again.run() == PATIENCE
    assert same(again.weights, judge.shown[4])


def test_without_patience_every_epoch_is_gone_through(speech: Speech, front: LogMel, tmp_path: Path) -> None:
    settings = train_settings({**SHORT, "score_epochs": 3})
    judge = Verdicts([0.5, 0.6])
    run = fitting(speech, front, tmp_path / "a", settings, judge=judge)
    assert run.run() == EPOCHS
    assert not judge.left  # after the third epoch, and at the end
    assert same(run.weights, judge.shown[0])


def test_scoring_disturbs_no_training(speech: Speech, front: LogMel, tmp_path: Path) -> None:
    plain, scored = (
        fitting(speech, front, tmp_path / str(n), train_settings({**SHORT, "score_epochs": n}), judge=judge)
        for n, judge in ((0, None), (1, Verdicts([0.4, 0.3, 0.2, 0.1])))
    )
    plain.run()
    scored.run()
    assert plain.trainer.course.losses == scored.trainer.course.losses
    assert same(plain.weights, scored.weights)


def test_a_model_has_the_errors_that_its_card_tells(tmp_path: Path) -> None:
    notes = []

    def listen(done: float, total: float, note: str = "", *, stage: str = "") -> None:
        notes.append(note)

    corpus = Tones(SENTENCES)
    EndToEndPipeline.train(corpus, {**TINY, "epochs": 20, "score_epochs": 2}, tmp_path, listen)
    told = card(tmp_path)
    best = min(told["dev"], key=lambda score: score["errors"])
    assert told["chosen_step"] == best["step"] and best["errors"] < told["dev"][0]["errors"]
    audio = [Audio(spoken(u.text, int(u.id[1:])), RATE) for u in corpus.dev]
    heard = EndToEndPipeline.load(tmp_path, {"device": "cpu"}).transcribe(audio)
    assert best["errors"] == pytest.approx(jiwer.cer([u.text for u in corpus.dev], [t.text for t in heard]))
    assert any(f"errors on dev {told['dev'][-2]['errors']:.1%}" in note for note in notes)


def test_patience_without_scores_or_dev_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="patience wants score_epochs"):
        train_settings({"patience": 3})

    class Dumb(Tones):
        dev = ()

    with pytest.raises(InputError, match="no dev speech"):
        EndToEndPipeline.train(Dumb(SENTENCES), {**SHORT, "score_epochs": 1}, tmp_path, quiet)


def test_a_training_that_is_stopped_loses_no_step(speech: Speech, front: LogMel, tmp_path: Path) -> None:
    settings = train_settings({**SHORT, "checkpoint_steps": 1000})

    def stop(done: float, total: float, note: str = "", *, stage: str = "") -> None:
        if done == 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        fitting(speech, front, tmp_path / "a", settings, progress=stop).run()
    again = fitting(speech, front, tmp_path / "a", settings)
    calls = []
    again.progress = lambda done, *_, **__: calls.append(done)
    again.run()
    assert calls[0] == 4
    whole = fitting(speech, front, tmp_path / "b", settings)
    whole.run()
    assert again.trainer.course.losses == whole.trainer.course.losses


class Clock:
    """A progress by whose time everything that is told of takes two seconds, until it is interrupted."""

    def __init__(self, begun: float = 0.0, calls: int = 10_000) -> None:
        self.time, self.left = begun, calls

    def __call__(self, done: float, total: float, note: str = "", *, stage: str = "") -> None:
        assert done <= total
        self.time += 2.0
        self.left -= 1
        if self.left < 0:
            raise InterruptedError

    def seconds(self) -> float:
        return self.time


def test_a_budget_ends_the_training_in_time_with_the_schedule_gone_through(
    speech: Speech, front: LogMel, tmp_path: Path
) -> None:
    settings = train_settings({**SHORT, "epochs": 500, "checkpoint_steps": 3})
    clock = Clock()
    pace = Pace(len(plan(speech, settings)), clock.seconds, limit=100.0)
    run = fitting(speech, front, tmp_path / "a", settings, progress=clock, pace=pace)
    assert run.run() == BUDGET
    course = run.trainer.course
    assert 45 <= len(course.losses) <= 50 and clock.time <= 100
    (group,) = run.trainer.optimiser.param_groups
    assert group["lr"] < 0.02 * settings.learning_rate
    rates = [run.trainer.rate(pace.total * share / 50) for share in range(50)]
    assert max(rates) <= settings.learning_rate

    def budgeted(clock: Clock) -> Fit:
        pace = Pace(run.pace.total, clock.seconds, limit=100.0)
        return fitting(speech, front, tmp_path / "b", settings, progress=clock, pace=pace)

    clock = Clock(calls=20)
    with pytest.raises(InterruptedError):
        budgeted(clock).run()
    clock = Clock(begun=clock.time)
    again = budgeted(clock)
    assert again.run() == BUDGET
    assert clock.time <= 100 and again.trainer.course.position == pytest.approx(pace.total, rel=0.05)
    assert again.trainer.course.seconds == sorted(again.trainer.course.seconds)


def test_a_budget_that_is_not_needed_changes_nothing(speech: Speech, front: LogMel, tmp_path: Path) -> None:
    settings, clock = train_settings(SHORT), Clock()
    plain = fitting(speech, front, tmp_path / "a", settings)
    total = plain.pace.total
    ample = fitting(
        speech, front, tmp_path / "b", settings, progress=clock, pace=Pace(total, clock.seconds, 1e4)
    )
    assert plain.run() == ample.run() == EPOCHS
    assert plain.trainer.course.losses == ample.trainer.course.losses


def test_where_the_time_was_told_in_a_part_alone_the_curve_has_none(
    speech: Speech, front: LogMel, tmp_path: Path
) -> None:
    settings = train_settings({**SHORT, "checkpoint_steps": 1})
    with pytest.raises(InterruptedError):
        fitting(speech, front, tmp_path / "a", settings, progress=Clock(calls=2)).run()
    clock = Clock()
    timed = Pace(len(plan(speech, settings)), clock.seconds)
    again = fitting(speech, front, tmp_path / "a", settings, progress=clock, pace=timed)
    assert again.run() == EPOCHS
    curve = again.trainer.course.curve()
    assert curve["seconds"] == [] and curve["steps"] == [len(again.trainer.course.losses)]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"agreement": -0.1}, "want 0 or more"),
        ({"crossed": 1.5}, "lie from 0 to 1"),
        ({"crossed": 0.5, "plain_epochs": 3, "flat_epochs": 3}, "crossed wants more plain_epochs"),
    ],
)
def test_a_disturbance_out_of_range_gets_one_line(config: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        train_settings(config)


@pytest.mark.parametrize("key", ["agreement", "crossed"])
def test_what_goes_by_ctc_is_not_asked_of_attention_alone(key: str, tmp_path: Path) -> None:
    alone = {"architecture": "joint_lstm", "sizes": {"hidden": 8, "attention_weight": 1.0}, key: 0.5}
    with pytest.raises(InputError, match="go by CTC"):
        EndToEndPipeline.train(Tones(SENTENCES), alone, tmp_path, quiet)


def test_a_model_says_that_its_budget_ended_it(tmp_path: Path) -> None:
    config = {**SHORT, "epochs": 500, "budget_minutes": 2}
    with pytest.raises(InputError, match="tells the time"):
        EndToEndPipeline.train(Tones(SENTENCES), config, tmp_path, quiet)
    clock = Clock()
    EndToEndPipeline.train(Tones(SENTENCES), config, tmp_path, clock)
    told = card(tmp_path)
    assert told["ended"] == "budget" and told["settings"]["budget_minutes"] == 2
    assert told["chosen_step"] == min(told["dev"], key=lambda score: score["errors"])["step"]
    assert told["dev"][-1]["step"] == told["steps"]
    assert clock.time < 130
    curve = json.loads((tmp_path / "curve.json").read_text())
    assert (
        curve["steps"][-1] == told["steps"] and curve["loss"] == told["loss"] and curve["ended"] == "budget"
    )
    assert curve["seconds"] == sorted(curve["seconds"]) and 0 < curve["seconds"][-1] <= clock.time
    assert [score["errors"] for score in curve["dev"]] == [score["errors"] for score in told["dev"]]
    with pytest.raises(InputError, match="spent before the first step"):
        EndToEndPipeline.train(Tones(SENTENCES), {**config, "budget_minutes": 0.1}, tmp_path / "b", Clock())
