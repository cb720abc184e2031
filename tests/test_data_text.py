"""The one normalisation that training and scoring share."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whisper_normalizer.english import EnglishTextNormalizer

from data.errors import InputError
from data.text import normaliser

EN = normaliser("en")
ZH = normaliser("zh-CN")


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("$20, twenty-one", "twenty dollars twenty one"),
        ("three nine", "three nine"),
        ("21", "twenty one"),
        ("1,234 people", "one thousand two hundred thirty four people"),
        ("in 1984", "in nineteen eighty four"),
        ("the 1960s", "the nineteen sixties"),
        ("the 21st of May", "the twenty first of may"),
        ("$2.50", "two dollars fifty cents"),
        ("$1", "one dollar"),
        ("£3 million", "three million pounds"),
        ("20%", "twenty percent"),
        ("It's $5.", "it is five dollars"),
        ("It's $5.25.", "it is five dollars twenty five cents"),
        ("$2.5 million", "two point five million dollars"),
        ("pi is 3.14.", "pi is three point one four"),
        ("B2B", "b two b"),
        ("3.14", "three point one four"),
        ("1.2.3", "one two three"),
        ("call 5551234", "call five five five one two three four"),
        ("agent 007", "agent zero zero seven"),
        ("A1B", "a one b"),
        ("3,9", "three nine"),
        ("It’s", "it is"),
        ("can't won't they're", "can not will not they are"),
        ("the dog's colour", "the dog is color"),
        ("Dr. Smith, um, left [noise] (laughs)", "doctor smith left"),
        ("a<b>c</b>d", "a c d"),
        ("café naïve", "cafe naive"),
        ("one hundred and one", "one hundred and one"),
        ("", ""),
        ("?!…", ""),
    ],
)
def test_english(written: str, spoken: str) -> None:
    assert EN(written) == spoken


@settings(deadline=None)
@given(st.text(max_size=60))
def test_english_is_idempotent_and_leaves_only_words(text: str) -> None:
    once = EN(text)
    assert EN(once) == once
    assert once == " ".join(once.split())
    assert not any(character in once for character in "0123456789.,;:!?$%'\"<>[]()-")


@settings(deadline=None)
@given(st.text(alphabet="abst019.,$%£¢'’-()[]<> ", max_size=40))
def test_english_is_idempotent_on_what_rules_are_made_of(text: str) -> None:
    assert EN(EN(text)) == EN(text)


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "cat",
                "dog's",
                "21",
                "$3.50",
                "uh",
                "don't",
                "1984",
                "[x]",
                "(y)",
                "B-52",
                "colour",
                "mr.",
                "7th",
            ]
        ),
        max_size=8,
    )
)
def test_words_are_never_joined(tokens: list[str]) -> None:
    """What a text gives is what its tokens give one by one: nothing reaches over a space."""
    assert EN(" ".join(tokens)) == " ".join(filter(None, map(EN, tokens)))


@pytest.mark.parametrize(
    "text", ["I can't see Mr. Brown's grey car", "We'd gone, hadn't we? Let's go!", "rock 'n roll"]
)
def test_agrees_with_whisper_where_no_number_is(text: str) -> None:
    assert EN(text) == " ".join(EnglishTextNormalizer()(text).split())


def test_number_words_and_digits_meet() -> None:
    assert EN("Twenty-one dollars") == EN("$21")
    assert EN("nineteen eighty-four") == EN("1984")


def test_mandarin_counts_characters() -> None:
    assert ZH("汉元鼎六年，武帝！") == "汉 元 鼎 六 年 武 帝"
    assert ZH("ＡＢＣ 卡拉OK") == "abc 卡 拉 ok"
    assert ZH.unit == "character"


@settings(deadline=None)
@given(st.text(alphabet="汉字，。AbＣ1２ （[x]", max_size=30))
def test_mandarin_is_idempotent(text: str) -> None:
    assert ZH(ZH(text)) == ZH(text)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_other_languages_are_idempotent(text: str) -> None:
    german = normaliser("de")
    assert german(german(text)) == german(text)


def test_names_and_versions() -> None:
    assert [normaliser(language).id for language in ("en", "en-US", "en-1", "zh", "de")] == [
        "en-1",
        "en-1",
        "en-1",
        "zh-1",
        "de-1",
    ]
    assert normaliser("de")("Grüße, Welt!") == "grüße welt"
    with pytest.raises(InputError, match="no language code"):
        normaliser("english!")
    with pytest.raises(InputError, match="no normaliser 'en-2'; did you mean 'en-1'"):
        normaliser("en-2")
