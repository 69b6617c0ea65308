"""callsite with the fail point between commit and push: `uvicorn lab.faults.crash:application`."""

from __future__ import annotations

from callsite.asgi import application as application
from lab.faults.failpoint import crashing
from realtime import signals
from realtime.publisher import publish

signals.publish = crashing(publish)  # type: ignore[attr-defined]  # imported there, to be called
