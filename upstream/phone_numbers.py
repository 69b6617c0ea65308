"""Phone numbers as people write them, as E.164, and where calls may go."""

from __future__ import annotations

import re

import phonenumbers
from django.conf import settings

REGIONS: frozenset[str] = frozenset(phonenumbers.SUPPORTED_REGIONS)
# The library finds a number inside other text, and makes digits of letters; neither is meant here.
_WRITTEN = re.compile(r"\+?[0-9 ()./\u00a0\u2010\u2011-]+")


class BadNumber(ValueError):
    """The text says what is wrong, and does not repeat the number."""


class NotAllowed(PermissionError):
    """DIAL_ALLOWED_PREFIXES does not allow the number."""


def e164(written: str) -> str:
    """The number with + and its country. A number without is one of DIAL_DEFAULT_REGION. Raises BadNumber.

    It need not be in use: a number of the right length is enough, as lists of those in use grow old.
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
    """Raise NotAllowed unless a prefix allows the number. None: one that is not known yet, so any prefix will do."""
    prefixes = settings.DIAL_ALLOWED_PREFIXES
    if not prefixes:
        raise NotAllowed("No number may be dialled: DIAL_ALLOWED_PREFIXES is empty.")
    if number is not None and not number.startswith(tuple(prefixes)):
        raise NotAllowed("DIAL_ALLOWED_PREFIXES does not allow this number.")
