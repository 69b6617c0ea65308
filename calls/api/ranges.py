"""File responses to Range requests (RFC 9110, section 14), with one range per request, as players send it."""

from __future__ import annotations

import re

from django.core.files.base import File
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def ranged_response(
    request: HttpRequest, file: File[bytes], size: int, content_type: str, etag: str
) -> HttpResponseBase:
    """Answer 200 with the file, 206 with the requested range, or 416. A Range of another form is ignored.

    `etag` is a strong ETag in quotes. If the request has an If-Range with another ETag, the Range is ignored: a player
    would otherwise join parts of two files. A failed If-Match gets 412, a matching If-None-Match 304.
    """
    if (unneeded := get_conditional_response(request, etag)) is not None:
        unneeded["ETag"] = etag
        return unneeded
    match = _RANGE.fullmatch(request.headers.get("Range", ""))
    if request.headers.get("If-Range", etag).strip() != etag:
        match = None
    if match is None or match[0] == "bytes=-":
        response = HttpResponse(file.read(), content_type=content_type)
    else:
        first, last = _bounds(match[1], match[2], size)
        if first >= size or first > last:
            return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
        file.seek(first)
        response = HttpResponse(file.read(last - first + 1), content_type=content_type, status=206)
        response["Content-Range"] = f"bytes {first}-{last}/{size}"
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = etag
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:
        return (max(0, size - int(last)), size - 1) if int(last) else (size, 0)
    return int(first), min(int(last), size - 1) if last else size - 1
