"""Digits and currency in English text, written out as they are read aloud."""

from __future__ import annotations

import re

from num2words import num2words

NUMERIC_SYMBOLS = ".,%$¢€£"
_CURRENCIES = {
    "$": (("dollar", "dollars"), ("cent", "cents")),
    "€": (("euro", "euros"), ("cent", "cents")),
    "£": (("pound", "pounds"), ("penny", "pence")),
}
_LONGEST = 6  # a longer run of digits without commas is a telephone or account number: read digit by digit

_GROUPED = re.compile(r"(?<![0-9.,])([0-9]{1,3})((?:,[0-9]{3})+)(?![0-9])")
_MONEY = re.compile(
    r"([$€£])\s*([0-9]+)(?:\.([0-9]+))?(?![0-9])(?!\.[0-9])"
    r"(\s+(?:hundred|thousand|million|billion|trillion)\b)?"
)
_CENTS = re.compile(r"¢\s*([0-9]+)|([0-9]+)\s*¢")
_DECADE = re.compile(r"(?<![0-9.])([0-9]*0)s\b")
_ORDINAL = re.compile(r"(?<![0-9.])([0-9]{1,9})(?:st|nd|rd|th)\b")
_PERCENT = re.compile(r"(?<=[0-9])\s*%")
_DECIMAL = re.compile(r"(?<![0-9.])([0-9]+)\.([0-9]+)(?![0-9])(?!\.[0-9])")
_DIGITS = re.compile(r"[0-9]+")


def verbalise(text: str) -> str:
    """`text` in lower case with every number in digits replaced by words, parted by spaces.

    ``$2.50`` becomes ``two dollars fifty cents``, ``1984`` a year, ``1,984`` a count, ``3.14`` is read with
    ``point``, ``21st`` as an ordinal, ``007`` and runs of more than six digits digit by digit. No ASCII digit
    is left.
    """
    if not text.isascii():
        text = "".join(_ascii_digit(character) for character in text)
    if _DIGITS.search(text) is None:
        return text
    text = _GROUPED.sub(lambda match: f" {_count(match[1] + match[2].replace(',', ''))} ", text)
    text = _MONEY.sub(_money, text)
    text = _CENTS.sub(lambda match: f" {_amount(match[1] or match[2], ('cent', 'cents'))} ", text)
    text = _PERCENT.sub(" percent ", text)
    text = _DECADE.sub(lambda match: f" {_plural(_integer(match[1]))} ", text)
    text = _ORDINAL.sub(lambda match: f" {_words(int(match[1]), 'ordinal')} ", text)
    text = _DECIMAL.sub(lambda match: f" {_count(match[1])} point {_spelled(match[2])} ", text)
    return _DIGITS.sub(lambda match: f" {_integer(match[0])} ", text)


def _ascii_digit(character: str) -> str:
    """Decimal digits of other scripts as ASCII ones; superscripts, fractions and the like are left alone."""
    return str(int(character)) if character.isdecimal() else character


def _money(match: re.Match[str]) -> str:
    (one, many), small = _CURRENCIES[match[1]]
    fraction, scale = match[3], match[4] or ""
    if scale or (fraction and len(fraction) != 2):
        point = f" point {_spelled(fraction)}" if fraction else ""
        return f" {_count(match[2])}{point}{scale} {many} "
    cents = f" {_amount(fraction, small)}" if fraction and int(fraction) else ""
    return f" {_amount(match[2], (one, many))}{cents} "


def _amount(digits: str, names: tuple[str, str]) -> str:
    return f"{_count(str(int(digits)))} {names[0] if int(digits) == 1 else names[1]}"


def _integer(digits: str) -> str:
    """A bare run of digits: a year from 1100 to 1999, else a count."""
    if len(digits) == 4 and 1100 <= int(digits) <= 1999:
        return _words(int(digits), "year")
    if len(digits) > _LONGEST:
        return _spelled(digits)
    return _count(digits)


def _count(digits: str) -> str:
    if (digits[0] == "0" and len(digits) > 1) or len(digits) > 30:
        return _spelled(digits)
    return _words(int(digits), "cardinal")


def _words(number: int, form: str) -> str:
    """In words as Americans read them: no hyphens, no commas, no `and` after the hundreds."""
    spoken = str(num2words(number, to=form)).replace("-", " ").replace(",", " ")
    return " ".join(word for word in spoken.split() if word != "and")


def _spelled(digits: str) -> str:
    return " ".join(_words(int(digit), "cardinal") for digit in digits)


def _plural(words: str) -> str:
    """``nineteen sixty`` to ``nineteen sixties``."""
    return words[:-1] + "ies" if words.endswith("y") else words + "s"
