"""Exit code 0 if this container's web process answers /healthz.

Asks as the site's own visitors do: a host name that is not in DJANGO_ALLOWED_HOSTS would be refused.
"""

from __future__ import annotations

import os
import sys
import urllib.request

first = os.environ.get("DJANGO_ALLOWED_HOSTS", "").split(",")[0].strip()
host = "localhost" if first in {"", "*"} else first.removeprefix(".")
request = urllib.request.Request("http://127.0.0.1:8000/healthz", headers={"Host": host, "X-Forwarded-Proto": "https"})
with urllib.request.urlopen(request, timeout=4) as answer:
    sys.exit(answer.status != 200)
