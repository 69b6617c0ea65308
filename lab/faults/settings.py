"""callsite's settings for a fault run: another folder for recordings and, on request, the lossy channel layer."""

from __future__ import annotations

import os
from pathlib import Path

from callsite.settings import *  # noqa: F403  (all of them)
from callsite.settings import BASE_DIR, CHANNEL_LAYERS

MEDIA_ROOT = Path(os.environ.get("FAULTS_MEDIA_ROOT", BASE_DIR / "media"))
if os.environ.get("FAULTS_DROP_FILE"):
    CHANNEL_LAYERS["default"]["BACKEND"] = "lab.faults.layers.LossyLayer"
