"""callsite without one piece: `BENCH_WITHOUT="gc.freeze" uvicorn lab.bench.ablation.application:application`."""

from __future__ import annotations

import os

from callsite.asgi import application as application
from lab.bench.ablation.pieces import PIECES

next(piece for piece in PIECES if piece.name == os.environ["BENCH_WITHOUT"]).switch_off()
