"""The speller and its search: against all sentences there are, and on tones that it has learned."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tone_letters import RATE, SENTENCES, TINY, Tones, quiet, spoken
from torch.nn import functional as F

from data.errors import InputError
from data.types import Audio
from pipelines.e2e.attention_search import AttentionSearch
from pipelines.e2e.decoder import Weights
from pipelines.e2e.losses import spelling_loss
from pipelines.e2e.models.joint import Joint
from pipelines.e2e.models.registry import build
from pipelines.e2e.pipeline import EndToEndPipeline
from pipelines.e2e.tokens import BLANK, Tokens
from pipelines.e2e.word_scores import UNKNOWN, WordScores
from pipelines.ngram import NgramModel, estimate, write_arpa
from pipelines.protocol import Chunk

SPACED, MARKED = Tokens(("", " ", "a", "b")), Tokens(("", "▁a", "▁b", "a"))
TEXT = [["a"], ["a", "b"], ["b", "a"], ["ab", "b"], ["ba"], ["a", "a"], ["b"], ["aa", "b"]]
WEIGHTS = Weights(lm_weight=0.6, insertion=0.7)
Sentence = tuple[int, ...]
EVERYTHING = 500  # more sentences than a beam of so short an utterance ever holds


def network(tokens: int, seed: int, weight: float = 0.5) -> Joint:
    sizes = {"tokens": tokens, "layers": 1, "hidden": 4, "cells": 6, "attention_weight": weight}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = build("joint_lstm", sizes)
        for parameter in net.parameters():
            parameter.data *= 6.0  # opinions
    assert isinstance(net, Joint)
    return net.eval()


@pytest.fixture(scope="module")
def model() -> NgramModel:
    return estimate(TEXT)


@pytest.fixture(scope="module")
def arpa(model: NgramModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lm") / "trigram.arpa"
    write_arpa(model, path)
    return path


def lm_score(model: NgramModel, text: str) -> float:
    total, history = 0.0, ["<s>"]
    for word in [*text.split(), "</s>"]:
        known = word in {"</s>", *itertools.chain(*TEXT)}
        total += WEIGHTS.lm_weight * (model.log10(word, history) * math.log(10) + (0 if known else UNKNOWN))
        history.append(word)
    return total + WEIGHTS.insertion * len(text.split())


@torch.no_grad()
def scores_of_all(net: Joint, encoded: torch.Tensor, length: int, ctc_weight: float) -> dict[Sentence, float]:
    """(1 - w) ln P(attention) + w ln P(CTC) of each sentence of `length` tokens, by what training asks."""
    sentences = list(itertools.product(range(1, net.shape.tokens), repeat=length))
    count = len(sentences)
    labels = torch.tensor(sentences, dtype=torch.long).reshape(count, length)
    frames, lengths = torch.full((count,), len(encoded)), torch.full((count,), length)
    spelt = net.speller(encoded.expand(count, -1, -1), frames, labels).log_softmax(-1)  # (N, L + 1, tokens)
    attention = spelt.gather(2, F.pad(labels, (0, 1))[:, :, None])[:, :, 0].sum(1)
    log_probs = net.scores_of(encoded).log_softmax(-1)[:, None].expand(-1, count, -1)
    ctc = -F.ctc_loss(log_probs, labels, frames, lengths, blank=BLANK, reduction="none")
    joined = (1 - ctc_weight) * attention + (ctc_weight * ctc if ctc_weight else 0.0)
    return dict(zip(sentences, joined.tolist(), strict=True))


@pytest.mark.parametrize("with_words", [False, True])
@pytest.mark.parametrize("ctc_weight", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("tokens", [SPACED, MARKED], ids=["spaced", "marked"])
def test_it_finds_the_best_of_all_sentences(
    tokens: Tokens, ctc_weight: float, with_words: bool, model: NgramModel, arpa: Path
) -> None:
    frames, found = 4, set()
    words = WordScores(arpa, WEIGHTS, tokens) if with_words else None
    for seed in range(4):
        net = network(len(tokens), seed)
        encoded = torch.randn(frames, 8, generator=torch.Generator().manual_seed(seed))
        scores = {}
        for length in range(frames + 1):
            for sentence, heard in scores_of_all(net, encoded, length, ctc_weight).items():
                scores[sentence] = heard + (lm_score(model, tokens.decode(sentence)) if with_words else 0.0)
        best = max(scores, key=lambda s: scores[s])
        search = AttentionSearch(net, tokens, words, ctc_weight=ctc_weight, width=EVERYTHING)
        text = search.hear(encoded.numpy()).text
        assert text == tokens.decode(best), (seed, best, scores[best])
        found.add(text)
    assert len(found) > 1  # the networks have opinions


@torch.no_grad()
def test_spelling_step_by_step_for_many_is_spelling_each_at_once() -> None:
    net = network(4, 1)
    encoded = torch.randn(1, 9, 8, generator=torch.Generator().manual_seed(2))
    frames, labels = torch.tensor([7]), torch.tensor([[1, 2, 3], [3, 3, 1]])
    listened = net.speller.listen(encoded, frames)
    spelling = net.speller.begin(listened).of(torch.tensor([0, 0]))
    steps = []
    for before in F.pad(labels, (1, 0)).T:
        out, spelling = net.speller.spell(before, spelling, listened)
        steps.append(out)
    for row, sentence in enumerate(labels):
        alone = net.speller(encoded[:, :7], frames, sentence[None])[0]  # padding is not attended to
        torch.testing.assert_close(torch.stack(steps, 1)[row], alone)


def test_the_spelling_loss_sums_over_labels_and_ends_and_is_told_a_label() -> None:
    scores = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(1))
    labels, lengths = torch.tensor([[2, 1, 4], [3, 0, 0]]), torch.tensor([3, 1])
    log_probs = scores.log_softmax(-1)
    wanted = [(0, 0, 2), (0, 1, 1), (0, 2, 4), (0, 3, BLANK), (1, 0, 3), (1, 1, BLANK)]
    expected = -sum(float(log_probs[at]) for at in wanted) / 4
    assert float(spelling_loss(scores, labels, lengths, 0.0)) == pytest.approx(expected)
    smooth = -sum(float(log_probs[at[:2]].mean()) for at in wanted) / 4
    assert float(spelling_loss(scores, labels, lengths, 0.1)) == pytest.approx(0.9 * expected + 0.1 * smooth)


def test_the_loss_of_a_batch_is_that_of_its_parts_by_their_labels() -> None:
    net = network(4, 3)
    encoded = torch.randn(3, 9, 8, generator=torch.Generator().manual_seed(2))
    frames, labels = torch.tensor([9, 7, 8]), torch.tensor([[1, 2, 3], [3, 0, 0], [2, 1, 0]])
    lengths = torch.tensor([3, 1, 2])

    def loss(rows: list[int]) -> float:
        own = [x[rows] for x in (encoded, frames, labels, lengths)]
        return float(net.full_loss(torch.zeros(()), *own).detach())

    assert loss([0, 1, 2]) == pytest.approx((loss([0, 2]) * 5 + loss([1]) * 1) / 6)


JOINT = {
    **{k: v for k, v in TINY.items() if k not in ("channels", "hidden", "blocks")},
    "architecture": "joint_conv_recurrent",
    "sizes": {
        "channels": 32,
        "hidden": 24,
        "blocks": 2,
        "cells": 48,
        "spelling_dropout": 0.0,
        "smoothing": 0.0,
    },
}


@pytest.fixture(scope="module")
def joint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("joint") / "model"
    EndToEndPipeline.train(Tones(SENTENCES), JOINT, folder, quiet)
    return folder


def right(folder: Path, config: dict[str, object]) -> int:
    pipeline = EndToEndPipeline.load(folder, {"device": "cpu", **config})
    audio = [Audio(spoken(text, i), RATE) for i, text in enumerate(SENTENCES)]
    heard = pipeline.transcribe(audio)
    for one, transcript in zip(audio, heard, strict=True):
        words = transcript.words
        assert not words or " ".join(w.text for w in words) == transcript.text
        assert all(0 <= w.start <= w.end <= one.seconds for w in words)
    return sum(t.text == text for t, text in zip(heard, SENTENCES, strict=True))


@pytest.mark.parametrize(
    "config",
    [
        {"decoder": "greedy"},
        {"decoder": "wfst"},
        {"decoder": "attention"},
        {"decoder": "attention", "lm_weight": 0.0, "runtime": "int8"},
        {"decoder": "attention", "lm_weight": 0.0, "ctc_weight": 0.0, "beam": 2.0},
    ],
    ids=str,
)
def test_ctc_and_attention_learn_tones_together(joint: Path, config: dict[str, object]) -> None:
    assert right(joint, config) >= len(SENTENCES) - 1


def test_a_joint_network_streams_by_ctc_and_attention_refuses_to(joint: Path) -> None:
    pipeline = EndToEndPipeline.load(joint, {})
    session = pipeline.open_session()
    heard = pipeline.advance([session], [Chunk(spoken(SENTENCES[2], 2), RATE, last=True)])[0]
    assert pipeline.capabilities.streaming and heard.text == SENTENCES[2]
    pipeline = EndToEndPipeline.load(joint, {"decoder": "attention"})
    assert not pipeline.capabilities.streaming
    with pytest.raises(InputError, match="for streams take greedy"):
        pipeline.open_session()
    nothing, click = Audio(np.zeros(0, np.float32), RATE), Audio(np.ones(3, np.float32), RATE)
    assert [t.text for t in pipeline.transcribe([nothing, click])] == ["", ""]
    assert (pipeline.facts()["ctc_weight"], pipeline.facts()["architecture"]) == (
        pytest.approx(0.4),
        "joint_conv_recurrent",
    )


def test_attention_alone_decodes_by_attention_alone(tmp_path: Path) -> None:
    alone = {**JOINT, "epochs": 1, "sizes": {**JOINT["sizes"], "attention_weight": 1.0}}  # type: ignore[dict-item]
    with pytest.raises(InputError, match="no score_epochs"):
        EndToEndPipeline.train(Tones(SENTENCES), {**alone, "score_epochs": 1}, tmp_path / "scored", quiet)
    EndToEndPipeline.train(Tones(SENTENCES), alone, tmp_path, quiet)
    pipeline = EndToEndPipeline.load(tmp_path, {"decoder": "attention"})
    assert len(pipeline.transcribe([Audio(spoken("ab", 1), RATE)])) == 1
    assert not pipeline.capabilities.streaming and pipeline.facts()["ctc_weight"] == 0.0
    for config, said in (
        ({"decoder": "greedy"}, r"without CTC.*take decoder = 'attention'"),
        ({"decoder": "wfst"}, r"without CTC.*take decoder = 'attention'"),
        ({"decoder": "attention", "ctc_weight": 0.3}, r"without CTC.*ctc_weight is 0"),
    ):
        with pytest.raises(InputError, match=said):
            EndToEndPipeline.load(tmp_path, config)


def test_what_cannot_attend_says_so(tmp_path: Path) -> None:
    EndToEndPipeline.train(Tones(SENTENCES), {**TINY, "epochs": 1, "flat_epochs": 0}, tmp_path, quiet)
    with pytest.raises(InputError, match="train a joint_conv_recurrent"):
        EndToEndPipeline.load(tmp_path, {"decoder": "attention"})
    with pytest.raises(InputError, match="ctc_weight lies from 0 to 1"):
        EndToEndPipeline.load(tmp_path, {"decoder": "attention", "ctc_weight": 1.5})
