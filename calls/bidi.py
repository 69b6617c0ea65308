"""Show text from strangers in a page without obeying the characters in it that change the direction of text.

Each such character is shown as a mark, as on the live page (realtime/static/realtime/live/words.js). The element around
the text has `dir="auto"`, so that the text gets its own direction.
"""

from __future__ import annotations

import re

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

CONTROLS = {
    "\u061c": "Arabic letter mark",
    "\u200e": "Left-to-right mark",
    "\u200f": "Right-to-left mark",
    "\u202a": "Left-to-right embedding",
    "\u202b": "Right-to-left embedding",
    "\u202c": "Pop directional formatting",
    "\u202d": "Left-to-right override",
    "\u202e": "Right-to-left override",
    "\u2066": "Left-to-right isolate",
    "\u2067": "Right-to-left isolate",
    "\u2068": "First strong isolate",
    "\u2069": "Pop directional isolate",
}
_CONTROL = re.compile(f"[{''.join(CONTROLS)}]")
_MARK = '<bdi class="control" title="{}. It is shown here and not obeyed.">U+{}</bdi>'


def words(text: object) -> SafeString:
    """Return the text as HTML. Lone surrogates, which UTF-8 cannot encode, become escapes."""
    shown = escape(str(text).encode("utf-8", "backslashreplace").decode())
    if not _CONTROL.search(shown):
        return shown
    # the text is escaped above, and the marks come from _MARK
    return mark_safe(_CONTROL.sub(lambda found: _mark(found[0]), shown))  # noqa: S308


def _mark(control: str) -> str:
    return format_html(_MARK, CONTROLS[control], f"{ord(control):04X}")
