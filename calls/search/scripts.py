"""Characters that make words, besides `\\w`, as classes for regular expressions."""

from __future__ import annotations

import unicodedata

# Blocks of scripts without spaces between words: search compares pieces of their text.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao; Burmese; Khmer
    "\u1950-\u19df\u1a20-\u1aaf\u1b00-\u1b7f"  # Tai Le and New Tai Lue; Tai Tham; Balinese
    "\ua980-\ua9ff\uaa60-\uaadf"  # Javanese and more of Burmese; more of it and Tai Viet
    "\u2e80-\u2fdf\u3005-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Chinese and Japanese
    "\U00016fe0-\U00018dff\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
)
# Invisible characters (joiners, marks of direction, variation selectors, fillers), the Arabic stretching line, and
# characters that only decorate another one (the circle around it, the tone of its skin).
UNSEEN = (
    "\xad\u034f\u0600-\u0605\u061c\u0640\u06dd\u070f\u07fa\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20dd-\u20e0\u20e2-\u20e4\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
    "\U0001f3fb-\U0001f3ff\U000e0000-\U000e0fff"
)


def _marks() -> str:
    """Return the class of marks that belong to a letter, above, below or behind it, such as the vowels of Hindi."""
    ranges: list[list[int]] = []
    category = unicodedata.category
    for code in range(0x300, 0x20000):
        if category(chr(code))[0] == "M":
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


MARKS = _marks()
