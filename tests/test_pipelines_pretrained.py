"""Recognisers that others trained: the real classes at tiny sizes, with weights drawn by chance."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from data.errors import InputError
from data.types import Audio
from pipelines.conformance import check
from pipelines.pretrained import torchaudio_ctc
from pipelines.registry import MissingPackage, load_class
from pipelines.torchaudio_python import bundles

RATE = 16_000


def noise(seconds: float, seed: int, rate: int = RATE) -> Audio:
    samples = np.random.default_rng(seed).normal(0, 0.1, int(seconds * rate))
    return Audio(samples.astype(np.float32), rate)


def greedy(scores: torch.Tensor, labels: tuple[str, ...]) -> str:
    """Frame by frame: a label counts where it is not the one before it; blanks never."""
    text, before = "", 0
    for best in scores.argmax(-1).tolist():
        text, before = text + (labels[best] if best not in (0, before) else ""), best
    return " ".join(text.replace("|", " ").split())


def kept_promises(pipeline: object) -> None:
    findings = check(pipeline, [noise(s, i) for i, s in enumerate((0.7, 0.3, 0.5))])
    assert not [f for f in findings if f.status == "fail"], findings
    assert any(f.check == "streams" and f.status == "skip" for f in findings)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of tiny sizes, its weights in the published form: three outputs that are no labels."""
    tiny = {
        "extractor_conv_layer_config": [(8, 10, 5), (8, 8, 8), (8, 4, 4)],
        "encoder_embed_dim": 16,
        "encoder_pos_conv_kernel": 8,
        "encoder_pos_conv_groups": 2,
        "encoder_num_layers": 1,
        "encoder_num_heads": 2,
        "encoder_ff_interm_features": 16,
    }
    whole = bundles.WAV2VEC2_ASR_BASE_960H
    bundles.TINY = replace(whole, _params={**whole._params, **tiny}, _path="tiny.pth")
    with torch.random.fork_rng():
        torch.manual_seed(5)
        tensors = torchaudio_ctc.build(bundles.TINY._params).state_dict()
    for name in ("aux.weight", "aux.bias"):
        extra = torch.full((3, *tensors[name].shape[1:]), 100.0)
        tensors[name] = torch.cat([tensors[name][:1], extra, tensors[name][1:]])
    path = tmp_path_factory.mktemp("weights") / "tiny.pth"
    torch.save(tensors, path)
    save_file({k: v.contiguous() for k, v in tensors.items()}, path.with_suffix(".safetensors"))
    yield path
    del bundles.TINY


def test_a_torchaudio_bundle_spells_its_best_labels(bundle: Path) -> None:
    use = load_class("pretrained-torchaudio")
    pipeline = use.load(None, {"model": "TINY", "weights": str(bundle), "device": "cpu"})
    same = use.load(None, {"model": "TINY", "weights": str(bundle.with_suffix(".safetensors"))})
    audio = [noise(s, i) for i, s in enumerate((0.9, 2.0))]
    with torch.no_grad():
        scores = [pipeline.network(torch.from_numpy(a.samples)[None])[0][0] for a in audio]
    expected = [greedy(s, bundles.TINY.get_labels()) for s in scores]
    assert all(expected) and [t.text for t in pipeline.transcribe(audio)] == expected
    assert [t.text for t in same.transcribe(audio)] == expected
    assert pipeline.facts()["parameters"] == sum(p.numel() for p in pipeline.network.parameters())
    kept_promises(pipeline)


def test_weights_that_are_not_there_say_what_to_download_and_where_to(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use = load_class("pretrained-torchaudio")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError, match=r"checkpoints.tiny\.pth: no weights.*https://.*models/tiny\.pth"):
        use.load(None, {"model": "TINY"})
    with pytest.raises(InputError, match="did you mean 'HUBERT_ASR_LARGE'"):
        use.load(None, {"model": "HUBERT_ASR_LARG"})
    with pytest.raises(InputError, match="not the weights of HUBERT_ASR_LARGE"):
        use.load(None, {"model": "HUBERT_ASR_LARGE", "weights": str(bundle)})
    (tmp_path / "bad.pth").write_bytes(b"no tensors")
    with pytest.raises(InputError, match=r"bad\.pth: no weights can be read"):
        use.load(None, {"model": "TINY", "weights": str(tmp_path / "bad.pth")})


def test_a_ctc_model_of_transformers_spells_its_best_tokens(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    tokens = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghij"]
    (tmp_path / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    tokenizer = transformers.Wav2Vec2CTCTokenizer(str(tmp_path / "vocab.json"))
    extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=False)
    transformers.Wav2Vec2Processor(extractor, tokenizer).save_pretrained(tmp_path)
    config = transformers.Wav2Vec2Config(
        vocab_size=len(tokens),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8, 8, 8),
        conv_kernel=(10, 8, 4),
        conv_stride=(5, 8, 4),
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        pad_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = transformers.Wav2Vec2ForCTC(config).eval()
    network.lm_head.bias.data[1:4] = -100.0  # no special tokens but the blank
    network.save_pretrained(tmp_path)
    use = load_class("pretrained-hf")
    pipeline = use.load(None, {"model": str(tmp_path), "device": "cpu"})
    audio = noise(1.5, 1)
    normal = (audio.samples - audio.samples.mean()) / np.sqrt(audio.samples.var() + 1e-7)
    with torch.no_grad():
        expected = greedy(network(torch.from_numpy(normal)[None]).logits[0], tuple(tokens))
    assert expected and pipeline.transcribe([audio])[0].text == expected
    kept_promises(pipeline)
    with pytest.raises(InputError, match=r"'nowhere/tiny'.*hf download nowhere/tiny.*download = true"):
        use.load(None, {"model": "nowhere/tiny"})
    with pytest.raises(InputError, match="set model to a folder"):
        use.load(None, {})


def test_whisper_of_transformers_says_what_its_decoder_finds(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    letters, special = "abcdefghij", ["<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"]
    vocab = {t: i for i, t in enumerate([*letters, *special])}
    (tmp_path / "vocab.json").write_text(json.dumps(vocab))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.WhisperTokenizer.from_pretrained(tmp_path)
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    extractor = transformers.WhisperFeatureExtractor(feature_size=8, chunk_length=2)
    transformers.WhisperProcessor(extractor, tokenizer).save_pretrained(tmp_path)
    config = transformers.WhisperConfig(
        vocab_size=len(vocab),
        num_mel_bins=8,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_source_positions=100,
        max_target_positions=12,
        pad_token_id=10,
        bos_token_id=10,
        eos_token_id=10,
        decoder_start_token_id=11,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = transformers.WhisperForConditionalGeneration(config).eval()
    network.save_pretrained(tmp_path)
    pipeline = load_class("pretrained-whisper").load(None, {"model": str(tmp_path), "device": "cpu"})
    audio = noise(1.5, 1)
    features = extractor(audio.samples, sampling_rate=RATE, return_tensors="pt").input_features
    said = [11]
    with torch.no_grad():
        while len(said) < 12 and said[-1] != 10:
            scores = network(input_features=features, decoder_input_ids=torch.tensor([said])).logits
            said.append(int(scores[0, -1].argmax()))
    expected = "".join(letters[i] for i in said if i < 10)
    assert expected and pipeline.transcribe([audio])[0].text == expected
    kept_promises(pipeline)


@pytest.mark.parametrize(("name", "package"), [("hf", "transformers"), ("whisper", "transformers")])
def test_without_its_package_it_is_skipped_with_one_line(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for loaded in [m for m in sys.modules if m.startswith("pipelines.pretrained.")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackage, match=rf"needs the package '{package}'.*\[pretrained\]"):
        load_class(f"pretrained-{name}")


def test_nemo_is_asked_for_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pipelines.pretrained.nemo", raising=False)
    monkeypatch.setitem(sys.modules, "nemo", None)
    with pytest.raises(MissingPackage, match=r"pip install 'nemo_toolkit\[asr\]'"):
        load_class("pretrained-nemo")
