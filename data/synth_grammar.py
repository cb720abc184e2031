"""The grammar of the embedded corpus: templates with slots, drawn with a seed.

Sentences are lowercase words as spoken; a letter of a spelled name is a word of one letter, written in
capitals until `reference` lowers it, since the speech engine must tell the letter A from the article.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Iterator
from typing import Final

from data.synth_words import DIGITS, ORDINALS, TEENS, TENS, WORDS

_TEMPLATES: Final = """
my name is {first} {last} and i live in {city}
my last name is {last} that is spelled {spelled_last}
the first name is {first} spelled {spelled_first}
could you spell your street please yes it is {street} {spelled_street}
my account number is {digits6}
the account ends in {digits4} and the name on it is {first} {last}
please transfer {money} to account {digits6}
i would like to pay {money} toward my {service} bill
why was i charged {money} on {date}
the {document} number is {letter} {letter} {digits4}
your reference is {letter} {digits4} {letter}
i need to change my appointment with the {doctor} to {weekday} at {time}
can i book an appointment with the {doctor} on {date}
is {weekday} {daypart} at {time} convenient for you
i want to reserve a table for {small} people at {time} on {weekday}
we would like a {room} room for {small} nights from {date}
is breakfast included with the {room} room
the {transport} from {city} to {city} leaves at {time}
two tickets for the {transport} to {city} on {date} please
how much is a return ticket from {city} to {city}
the {transport} was canceled because of {weather} near {city}
i ordered a {color} {product} and it arrived {fault}
the {product} that i bought in {month} is {fault}
i would like to {verbthing} my {color} {product} please
can you {verbthing} the {material} {product} before {weekday}
do you have the {product} in {color} or {color}
how much does the {size} {product} cost
the {color} {product} costs {money} including tax
we will {verbthing} the {product} on {date} between {time} and {time}
please deliver the {product} to {number} {street} {road} in {city}
our address is {number} {street} {road} {city}
the driver will be at {number} {street} {road} at {time}
my telephone number is {digits3} {digits4}
call me back on {digits3} {digits4} after {time}
i am calling about my {service} contract with {company}
please put me through to the {department} department
thank you for calling {company} how can i help you this {daypart}
you are speaking with {first} from the {department} department
let me connect you with our {department} team please hold the line
{yes} that is {yes} thank you very much
{yes} i can confirm the order for {small} {color} {products}
no that is not what i asked for i wanted the {product}
i am {feeling} with the {service} service in {city}
i was {feeling} when the {doctor} did not come on {weekday}
my {relation} is {feeling} because the {product} is still {fault}
my {relation} lost the {document} at the {sector} in {city}
i need a copy of the {adjective} {document} {adverb}
please send the {adjective} {document} to my {relation}
where is the nearest {sector} to {street} {road}
does the {sector} in {city} open on {weekday} {daypart}
i would like to order {food} with {food} and a {dessert} cake
can we have {small} portions of {food} and {small} cups of {food}
there is no {food} left but we still have {food} and {food}
a {size} {dessert} ice cream and some {food} please
i have had a {ailment} since {weekday} {daypart}
the {doctor} can see your {animal} at {time} on {date}
i want to insure my {vehicle} and my {animal}
the {vehicle} was {fault} in an accident on {street} {road}
we rent a {vehicle} for {money} a day
i cannot change the {setting} on my {product}
how do i reset the {setting} of the {product}
please check the {setting} and restart the {product}
my {service} has not worked since {time} on {weekday}
your balance on {date} was {money}
the interest rate is {small} point {digit} percent
my date of birth is {date} nineteen {two_digits}
you will receive {small} hundred points for your {service} account
that will be {money} would you like to pay by card
the {ordinal} payment of {money} is due on {date}
we are on the {ordinal} floor of the {sector}
turn left at the {sector} and take the {ordinal} road to {city}
the code is {digits4} and it will expire at {time}
can i speak to {first} {last} in {department} please
i am sorry {first} is out of the office until {weekday}
could you repeat the {document} number more slowly please
has my {product} left the warehouse in {city}
the parcel weighs {number} pounds and contains a {product}
{first} {last} is my {relation} and may use the account
cancel my {service} plan at the end of {month} please
why does the {company} {service} plan cost {money} per month
there will be {weather} in {city} on {weekday} {daypart}
""".strip().splitlines()

_SLOT: Final = re.compile(r"\{(\w+)\}")
_ARTICLE: Final = re.compile(r"\ba(?= [aeiou])")  # letters are capitals at this point
Draw = Callable[[random.Random], str]


def sentences(rng: random.Random, avoid: Collection[str] = ()) -> Iterator[str]:
    """Distinct sentences without end, letters in capitals; none whose `reference` is in `avoid`."""
    seen = set(avoid)
    while True:
        template = rng.choice(_TEMPLATES)
        sentence = _ARTICLE.sub("an", _SLOT.sub(lambda slot: _fill(slot[1], rng), template))
        if reference(sentence) not in seen:
            seen.add(reference(sentence))
            yield sentence


def reference(sentence: str) -> str:
    """What was said, in lowercase words."""
    return sentence.lower()


def spoken(sentence: str) -> str:
    """What the speech engine is given: the letters A and Z as phonemes, since it reads A as the article."""
    return " ".join({"A": "[['eI]]", "Z": "[[z'i:]]"}.get(word, word) for word in sentence.split())


def _fill(slot: str, rng: random.Random) -> str:
    return rng.choice(WORDS[slot]) if slot in WORDS else _DRAWS[slot](rng)


def _digits(count: int) -> Draw:
    return lambda rng: " ".join(_digit(rng) for _ in range(count))


def _digit(rng: random.Random) -> str:
    return "oh" if rng.random() < 0.05 else rng.choice(DIGITS)


def _spell(word_list: str) -> Draw:
    return lambda rng: " ".join(rng.choice(WORDS[word_list]).upper())


def _letter(rng: random.Random) -> str:
    return rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def _two_digits(rng: random.Random) -> str:
    tens, unit = rng.choice(TENS), rng.randrange(10)
    return tens if unit == 0 else f"{tens} {DIGITS[unit]}"


def _number(rng: random.Random) -> str:
    form = rng.random()
    if form < 0.2:
        return rng.choice(TEENS)
    if form < 0.6:
        return _two_digits(rng)
    return f"{rng.choice(DIGITS[1:])} hundred {_two_digits(rng)}"


def _money(rng: random.Random) -> str:
    form = rng.random()
    if form < 0.4:
        return f"{_two_digits(rng)} dollars"
    if form < 0.6:
        return f"{_two_digits(rng)} dollars and {_two_digits(rng)} cents"
    if form < 0.8:
        return f"{rng.choice(DIGITS[1:])} hundred {_two_digits(rng)} dollars"
    return f"{rng.choice(DIGITS[2:])} thousand dollars"


def _day(rng: random.Random) -> str:
    day = rng.randrange(1, 32)
    if day <= 20:
        return ORDINALS[day - 1]
    if day == 30:
        return "thirtieth"
    return f"{TENS[day // 10 - 2]} {ORDINALS[day % 10 - 1]}"


def _date(rng: random.Random) -> str:
    month, day = rng.choice(WORDS["month"]), _day(rng)
    return f"{month} {day}" if rng.random() < 0.6 else f"the {day} of {month}"


def _time(rng: random.Random) -> str:
    hour = rng.choice((*DIGITS[1:], "ten", "eleven", "twelve"))
    form = rng.random()
    if form < 0.3:
        return f"{hour} {rng.choice(('thirty', 'fifteen', 'forty five', 'twenty', 'ten'))}"
    if form < 0.5:
        return f"{rng.choice(('half', 'quarter'))} past {hour}"
    if form < 0.6:
        return f"quarter to {hour}"
    return f"{hour} in the {rng.choice(WORDS['daypart'])}" if form < 0.8 else rng.choice(("noon", "midnight"))


def _plural(noun: str) -> str:
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch")) else "s")


_DRAWS: Final[dict[str, Draw]] = {
    "spelled_first": _spell("first"),
    "spelled_last": _spell("last"),
    "spelled_street": _spell("street"),
    "digit": _digit,
    "digits3": _digits(3),
    "digits4": _digits(4),
    "digits6": _digits(6),
    "letter": _letter,
    "two_digits": _two_digits,
    "number": _number,
    "small": lambda rng: rng.choice(DIGITS[2:]),
    "money": _money,
    "date": _date,
    "time": _time,
    "ordinal": lambda rng: rng.choice(ORDINALS[:12]),
    "products": lambda rng: _plural(rng.choice(WORDS["product"])),
}
