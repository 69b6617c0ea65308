"""The JSON parser of the API. A body that cannot be decoded or stored gets a 400 that says why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser, get_encoding  # type: ignore[attr-defined]  # its types lack it

MAX_DEPTH = 100
TOO_DEEP = f"The body is nested deeper than {MAX_DEPTH} levels."


class StrictJSONParser(JSONParser):
    """A JSON parser that answers 400 to deep nesting and to values that cannot be stored; DRF's own leads to a 500."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the body's value, of any JSON type. Raises ParseError if the body cannot be decoded or stored."""
        encoding = get_encoding(parser_context or {})
        try:
            value = json.loads(stream.read().decode(encoding), parse_constant=_refuse_constant)
        except UnicodeError:
            raise ParseError(f"The body is not text in {encoding}.") from None
        except json.JSONDecodeError as error:
            raise ParseError(f"JSON parse error - {error}") from None
        except RecursionError:
            raise ParseError(TOO_DEEP) from None
        except ValueError:  # int() refuses thousands of digits
            raise ParseError("The body has a number with too many digits.") from None
        if not _is_shallow(value, MAX_DEPTH):
            raise ParseError(TOO_DEEP)
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ParseError("The body has one half of a surrogate pair (such as \\ud800) without the other.") from None
        return value


def _refuse_constant(name: str) -> NoReturn:
    raise ParseError(f"The body has the number {name}, which is not JSON.")


def _is_shallow(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return True
    return levels > 0 and all(_is_shallow(item, levels - 1) for item in value)
