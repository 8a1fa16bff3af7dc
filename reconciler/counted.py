"""Count objects in messages: `1 row`, `1,200 rows`, `2 policies`."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return the number with the noun, which is singular, in the form that agrees with it."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Return the plural of a noun; of several words, that of the last."""
    if noun.endswith("y"):
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x")) else "s")


def agreeing(number: int, singular: str, other: str) -> str:
    """Return the words of a sentence about one object, or about another number of objects."""
    return singular if number == 1 else other


def as_they_should_be(number: int, noun: str = "") -> str:
    """Return `1 object is as it should be` or `2 objects are as they should be`.

    Without a noun there is no verb either.
    """
    words = f"{counted(number, noun)} {agreeing(number, 'is', 'are')}" if noun else f"{number:,}"
    return f"{words} as {agreeing(number, 'it', 'they')} should be"
