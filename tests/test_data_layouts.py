"""Every folder shape that people really have, read from a small tree."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from corpus_fixtures import write_an4, write_audio, write_text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.audio import read_audio
from data.clean import clean
from data.errors import InputError
from data.layouts import LAYOUTS, Reading, layout, recognise


def texts(reading: Reading) -> dict[str, tuple[str | None, str]]:
    for utterance in reading.utterances:
        read_audio(utterance.source, utterance.start, utterance.duration)
    return {utterance.id: (utterance.speaker, utterance.text) for utterance in reading.utterances}


def test_librispeech(tmp_path: Path) -> None:
    chapter = tmp_path / "train-clean-5" / "19" / "198"
    for suffix, index in ((".flac", 0), (".mp3", 1), (".opus", 2), (".wav", 3)):
        write_audio(chapter / f"19-198-000{index}{suffix}")
    write_text(chapter / "19-198.trans.txt", *(f"19-198-000{index} LINE {index}" for index in range(4)))
    assert recognise(tmp_path) == (LAYOUTS["librispeech"], {"train": ("train-clean-5",)})
    reading = layout("librispeech").read(tmp_path, "train-clean-5")
    assert texts(reading)["19-198-0002"] == ("19", "LINE 2")
    assert len(reading.utterances) == 4
    with pytest.raises(InputError, match=r"holds no \*\.trans\.txt"):
        layout("librispeech").read(tmp_path, "dev-clean")


def test_an4(tmp_path: Path) -> None:
    folder = write_an4(tmp_path)
    assert recognise(folder) == (LAYOUTS["an4"], {"train": ("an4_train",), "test": ("an4_test",)})
    assert texts(layout("an4").read(folder, "an4_test")) == {"an9-t00-b": ("t00", "HELLO WORLD")}
    train = texts(layout("an4").read(folder, "an4_train"))
    assert train["an1-sd-b"] == ("sd", "HELLO SD") and len(train) == 14


def test_an4_skips_what_it_cannot_use(tmp_path: Path) -> None:
    folder = write_an4(tmp_path)
    write_text(folder / "etc" / "an4_test.fileids", "../../secret/an9-t00-b", "an4test_clstk/t00/missing")
    write_text(folder / "etc" / "an4_test.transcription", "HELLO WORLD (an9-t00-b)", "no id here")
    reading = layout("an4").read(folder, "an4_test")
    assert not reading.utterances
    assert [entry.reason for entry in reading.skipped] == [
        "an4_test.transcription:2: expected '<s> TEXT </s> (id)'",
        "an4_test.fileids:1: '../../secret/an9-t00-b' climbs out of the corpus",
        "an4_test.fileids:2: no line (missing) in an4_test.transcription",
    ]


def test_common_voice(tmp_path: Path) -> None:
    write_audio(tmp_path / "clips" / "a.opus")
    write_audio(tmp_path / "clips" / "b.mp3")
    rows = [
        "client_id\tpath\tsentence\tage",
        'X\ta.mp3\tSay "hi", <b>you</b>.\t',
        "\tb\tZwei\t",
        "short",
        "X\t../c.mp3\tout\t",
    ]
    write_text(tmp_path / "test.tsv", *rows)
    assert recognise(tmp_path) == (LAYOUTS["commonvoice"], {"test": ("test",)})
    reading = layout("commonvoice").read(tmp_path, "test")
    assert texts(reading) == {"a": ("X", 'Say "hi", <b>you</b>.'), "b": (None, "Zwei")}
    assert [entry.utterance for entry in reading.skipped] == ["test.tsv:4", "test.tsv:5"]


def test_common_voice_without_its_columns(tmp_path: Path) -> None:
    write_text(tmp_path / "test.tsv", "path\ttext", "a\tb")
    with pytest.raises(InputError, match=r"test\.tsv:1: the header lacks client_id, sentence"):
        layout("commonvoice").read(tmp_path, "test")


def test_kaldi(tmp_path: Path) -> None:
    write_audio(tmp_path / "wav" / "r1.wav", 2.0)
    outside = write_audio(tmp_path / "elsewhere" / "r2.flac")
    data = tmp_path / "data" / "test"
    write_text(
        data / "wav.scp", "r1 wav/r1.wav", f"r2 {outside}", f"r3 touch {tmp_path}/ran |", "r4 raw.ark:17"
    )
    write_text(
        data / "segments",
        "u1 r1 0.5 1.25",
        "u2 r2 0 -1",
        "u3 r3 0 1",
        "u4 r4 0 1",
        "u5 r1 1.0 0.5",
        "u6 r9 0 1",
    )
    write_text(data / "text", *(f"u{index} text {index}" for index in range(1, 8)))
    write_text(data / "utt2spk", "u1 anna", "u2 bert")
    assert recognise(tmp_path) == (LAYOUTS["kaldi"], {"test": ("data/test",)})
    reading = layout("kaldi").read(tmp_path, "data/test")
    assert texts(reading) == {"u1": ("anna", "text 1"), "u2": ("bert", "text 2")}
    assert (reading.utterances[0].start, reading.utterances[0].duration) == (0.5, 0.75)
    reasons = {entry.utterance: entry.reason for entry in reading.skipped}
    assert set(reasons) == {"u3", "u4", "u5", "u6", "u7"}
    assert "is a command" in reasons["u3"] and not (tmp_path / "ran").exists()
    assert "archive" in reasons["u4"] and "segments:5" in reasons["u5"]


def test_kaldi_without_segments(tmp_path: Path) -> None:
    write_audio(tmp_path / "u1.wav")
    write_text(tmp_path / "wav.scp", "u1 u1.wav")
    write_text(tmp_path / "text", "u1 hello there", "u2 nobody")
    reading = layout("kaldi").read(tmp_path, ".")
    assert texts(reading) == {"u1": (None, "hello there")}
    assert [entry.utterance for entry in reading.skipped] == ["u2"]


def test_manifest_with_our_names_and_with_nemos(tmp_path: Path) -> None:
    long = write_audio(tmp_path / "wavs" / "long.wav", 2.0)
    write_audio(tmp_path / "wavs" / "a.wav")
    rows: list[object] = [
        {"audio": "wavs/a.wav", "text": "<i>one</i>", "speaker": "x", "id": "a", "duration": 0.3001},
        {"audio_filepath": str(long), "text": "two", "offset": 0.5, "duration": 1.0, "lang": "en"},
        {"audio_filepath": "wavs/long.wav", "text": "three", "duration": 0.5, "speaker": 7},
        {"audio": "wavs/a.wav"},
        ["not", "an", "object"],
        {"audio": "wavs/a.wav", "text": "x", "duration": "long"},
        {"audio": "wavs/a.wav", "text": "x", "offset": -1},
    ]
    lines = [json.dumps(row) for row in rows] + ["{broken"]
    write_text(tmp_path / "test.jsonl", *lines)
    reading = layout("manifest").read(tmp_path, "test.jsonl")
    found = {utterance.text: utterance for utterance in reading.utterances}
    assert found["<i>one</i>"].duration is None and found["<i>one</i>"].speaker == "x"
    assert (found["two"].start, found["two"].duration) == (0.5, 1.0)
    assert found["three"].speaker == "7"
    assert len({utterance.id for utterance in reading.utterances}) == 3
    assert [entry.utterance for entry in reading.skipped] == [
        f"test.jsonl:{line}" for line in (4, 5, 6, 7, 8)
    ]


def test_fsdd(tmp_path: Path) -> None:
    for name in ("7_jackson_4", "7_jackson_5", "0_theo_49", "notes"):
        write_audio(tmp_path / "recordings" / f"{name}.wav", rate=8000)
    assert recognise(tmp_path) == (LAYOUTS["fsdd"], {"train": ("5-49",), "test": ("0-4",)})
    assert texts(layout("fsdd").read(tmp_path, "0-4")) == {"7_jackson_4": ("jackson", "seven")}
    train = texts(layout("fsdd").read(tmp_path, "5-49"))
    assert train == {"0_theo_49": ("theo", "zero"), "7_jackson_5": ("jackson", "seven")}


def test_aishell1(tmp_path: Path) -> None:
    for name in ("BAC009S0002W0122", "BAC009S0002W0999"):
        write_audio(tmp_path / "wav" / "train" / "S0002" / f"{name}.wav")
    write_text(tmp_path / "transcript" / "aishell_transcript_v0.8.txt", "BAC009S0002W0122 而 对 楼市 成交")
    assert recognise(tmp_path) == (LAYOUTS["aishell1"], {"train": ("train",)})
    reading = layout("aishell1").read(tmp_path, "train")
    assert texts(reading) == {"BAC009S0002W0122": ("S0002", "而 对 楼市 成交")}
    assert [entry.utterance for entry in reading.skipped] == ["BAC009S0002W0999"]


def test_thchs30(tmp_path: Path) -> None:
    write_audio(tmp_path / "data" / "A11_0.wav")
    write_text(tmp_path / "data" / "A11_0.wav.trn", "绿 是 阳春", "lv4 shi4 yang2 chun1", "l v4")
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "A11_0.wav").symlink_to("../data/A11_0.wav")
    write_text(tmp_path / "train" / "A11_0.wav.trn", "../data/A11_0.wav.trn")
    assert recognise(tmp_path) == (LAYOUTS["thchs30"], {"train": ("train",)})
    assert texts(layout("thchs30").read(tmp_path, "train")) == {"A11_0": ("A11", "绿 是 阳春")}


def test_pairs_of_ones_own(tmp_path: Path) -> None:
    write_audio(tmp_path / "anna" / "hello.wav")
    write_text(tmp_path / "anna" / "hello.txt", "Hello,", "world!")
    write_text(tmp_path / "notes.txt", "no recording of this")
    assert recognise(tmp_path) == (LAYOUTS["pairs"], {"test": (".",)})
    reading = layout("pairs").read(tmp_path, ".")
    assert texts(reading) == {"anna/hello": ("anna", "Hello, world!")}
    assert [entry.utterance for entry in reading.skipped] == ["notes"]


def test_nothing_is_recognised_in_an_empty_folder(tmp_path: Path) -> None:
    assert recognise(tmp_path) is None


def test_text_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "wav.scp").write_text("u1 u1.wav\n")
    (tmp_path / "text").write_bytes(b"u1 fine\nu2 \xff\xfe\n")
    with pytest.raises(InputError, match=r"text:2: is not UTF-8"):
        layout("kaldi").read(tmp_path, ".")


def test_unknown_layout() -> None:
    with pytest.raises(InputError, match="did you mean 'kaldi'"):
        layout("kalid")


SCRAPS = st.sampled_from(
    ["u1", " ", "\t", "|", "(", ")", "<s>", "{", '"audio":', '"x"', "1e999", "\x00", "a" * 300, "../", "ü"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.dictionaries(
        st.sampled_from(["audio", "audio_filepath", "text", "duration", "offset", "speaker", "id"]), inner
    ),
)


def survives(name: str, folder: Path, part: str) -> None:
    """Reading and cleaning come to an end, if need be with an `InputError`."""
    with contextlib.suppress(InputError):
        clean({"test": layout(name).read(folder, part)}, str.strip, None)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.lists(SCRAPS, max_size=6).map("".join), max_size=4))
def test_no_text_breaks_a_reader(tmp_path: Path, lines: list[str]) -> None:
    for name in (
        "wav.scp",
        "text",
        "segments",
        "x.jsonl",
        "etc/x.fileids",
        "etc/x.transcription",
        "1/x.trans.txt",
    ):
        write_text(tmp_path / name, *lines)
    write_text(tmp_path / "x.tsv", "client_id\tpath\tsentence", *lines)
    for name, part in (
        ("kaldi", "."),
        ("manifest", "x.jsonl"),
        ("an4", "x"),
        ("librispeech", "."),
        ("commonvoice", "x"),
    ):
        survives(name, tmp_path, part)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(st.lists(JSON, max_size=4))
def test_no_json_breaks_the_manifest(tmp_path: Path, rows: list[object]) -> None:
    write_text(tmp_path / "x.jsonl", *(json.dumps(row) for row in rows))
    survives("manifest", tmp_path, "x.jsonl")
