"""Phone numbers: it turns numbers as people write them into E.164, and says which ones may be dialled."""

from __future__ import annotations

import re

import phonenumbers
from django.conf import settings

REGIONS: frozenset[str] = frozenset(phonenumbers.SUPPORTED_REGIONS)
# The library also finds a number inside other text, and reads letters as digits; callsite accepts neither.
_WRITTEN = re.compile(r"\+?[0-9 ()./\u00a0\u2010\u2011-]+")


class BadNumber(ValueError):
    """A text is no phone number. The error says what is wrong, and does not repeat the number."""


class NotAllowed(PermissionError):
    """DIAL_ALLOWED_PREFIXES does not allow the number."""


def e164(written: str) -> str:
    """Return the number in E.164. A number without + is one of DIAL_DEFAULT_REGION. Raises BadNumber.

    The number need not be in use: the right length is enough, because lists of used numbers grow old.
    """
    text = written.strip()
    if not _WRITTEN.fullmatch(text):
        raise BadNumber("to_number is not a phone number: write + and digits, as in +15550100003.")
    region = settings.DIAL_DEFAULT_REGION if settings.DIAL_DEFAULT_REGION in REGIONS else None
    if not text.startswith("+") and region is None:
        raise BadNumber("to_number has no country: write + and the country's code, or set DIAL_DEFAULT_REGION.")
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise BadNumber("to_number is not a phone number.") from None
    if not phonenumbers.is_possible_number(number):
        raise BadNumber("to_number is too short or too long for its country.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def expect_allowed(number: str | None) -> None:
    """Raise NotAllowed unless a prefix allows the number. None: it is not known yet, so any prefix is enough."""
    prefixes = settings.DIAL_ALLOWED_PREFIXES
    if not prefixes:
        raise NotAllowed("No number may be dialled: DIAL_ALLOWED_PREFIXES is empty.")
    if number is not None and not number.startswith(tuple(prefixes)):
        raise NotAllowed("DIAL_ALLOWED_PREFIXES does not allow this number.")
