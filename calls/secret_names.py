"""Tell which names stand for secrets: of headers, parameters and variables, in any case and with any separators."""

from __future__ import annotations

import re
from enum import Enum, auto


class Kind(Enum):
    """The kind of value that a name stands for."""

    PLAIN = auto()
    VALUE = auto()  # another field names the value: {"name": …, "value": …}
    SECRET = auto()
    COUNTED = auto()  # a secret if the value is a text: numbers of `tokens` are counts
    LISTED = auto()  # a secret of any type: `secret__*` and REDACTED_NAMES
    HEADERS = auto()  # every header's value is a secret
    QUERY = auto()  # the parameters of a URL, in which `key` and `code` are secrets too
    AUDIO = auto()


SECRETS = frozenset({Kind.SECRET, Kind.COUNTED, Kind.LISTED})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Secret anywhere in a name (`token_of_crm`), unless the last word says that the value only describes the secret.
_ANYWHERE = ("password", "passwd", "passphrase", "passcode", "secret", "token", "apikey", "bearer", "jwt", "credential")
_DESCRIBES = frozenset(
    (
        *("algorithm", "at", "attempts", "budget", "changed", "cost", "count", "counts", "created", "date", "disabled"),
        *("enabled", "endpoint", "expiration", "expired", "expires", "expiry", "format", "hint", "id", "ids", "in"),
        *("issuer", "length", "limit", "limits", "location", "method", "methods", "ms", "name", "names", "policy"),
        *("present", "price", "provider", "question", "rate", "ratio", "requested", "required", "reset", "scope"),
        *("scopes", "secs", "seconds", "set", "size", "status", "time", "ts", "type", "types", "updated", "uri", "url"),
        *("usage", "used", "valid", "verified", "version"),
    )
)
# Secret at the end of a name (`x-hub-signature-256`, but not `signature_required`): ends of the last word, whole words.
_ENDINGS = ("authorization", "authorisation", "signature", "cookie", "accesskey", "secretkey", "privatekey")
_LAST_WORDS = frozenset({"auth", "hmac", "otp", "pwd", "sig"})
_KEYS = frozenset(  # with one of these words before it, `key` is a secret; a primary or a sort key is not
    (
        *("access", "api", "auth", "client", "consumer", "encryption", "function", "functions", "license", "master"),
        *("private", "secret", "session", "shared", "signing", "subscription"),
    )
)
_IGNORED_AT_THE_END = frozenset({"encoded", "hash", "header", "plain", "raw", "sha", "string", "text", "v", "value"})
_WHOLE_NAMES = frozenset({"jsessionid", "pass", "phpsessid", "pw", "sessionid"})
_IN_QUERIES = frozenset({"code", "key"})


def folded(name: str) -> str:
    """Return a name without case and separators, as the names of REDACTED_NAMES are compared."""
    return re.sub(r"[\W_]+", "", name).casefold()


def kind_of(name: str, listed: frozenset[str], in_query: bool = False) -> Kind:
    """Return what kind of value has this name. `listed`: further names of secrets, folded."""
    words = [word.lower() for word in _WORD.findall(name)]
    last = words[-1] if words else ""
    if name.casefold().startswith("secret__") or (listed and folded(name) in listed):
        return Kind.LISTED
    if last.endswith("headers"):
        return Kind.HEADERS
    if words == ["full", "audio"]:
        return Kind.AUDIO
    if _is_secret(words) or (in_query and folded(name) in _IN_QUERIES):
        return Kind.COUNTED if any(word.endswith(("tokens", "cookies")) for word in words) else Kind.SECRET
    if words in (["query"], ["query", "params"], ["query", "parameters"], ["query", "string"]):
        return Kind.QUERY
    return Kind.VALUE if last in ("value", "values") else Kind.PLAIN


def _is_secret(words: list[str]) -> bool:
    singular = [word if word.endswith("ss") else word.removesuffix("s") for word in words]
    if any(word.endswith(_ANYWHERE) for word in singular) and words[-1] not in _DESCRIBES:
        return True
    while singular and (singular[-1] in _IGNORED_AT_THE_END or singular[-1].isdigit()):
        singular.pop()
    if not singular:
        return False
    *before, last = singular
    return (
        last.endswith(_ENDINGS)
        or last in _LAST_WORDS
        or (last == "key" and not _KEYS.isdisjoint(before))
        or (not before and last in _WHOLE_NAMES)
    )
