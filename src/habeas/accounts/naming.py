"""When two names are the same person's: what is typed differently, or looks alike to no purpose, tells nobody apart."""

import unicodedata
from typing import Final

_FILLERS: Final = "\u115f\u1160"
"""Letters by their category, and invisible."""


def words_of(name: str) -> str:
    """Return the words of a name, in order of the alphabet: letters and numbers only, of whatever case and width.

    Marks, punctuation and invisible characters make no difference. Letters of other scripts that look alike do: false
    accounts and false names are not stopped by spelling.
    """
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    return " ".join(sorted("".join(_kept(char) for char in letters).split()))


def _kept(char: str) -> str:
    """Keep letters and numbers; drop marks and what nobody sees; everything else separates words."""
    kind = unicodedata.category(char)
    if kind == "Cf" or kind[0] == "M" or char in _FILLERS:
        return ""
    return char if kind[0] in "LN" else " "
