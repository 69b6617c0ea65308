"""The fail point between commit and push, for changes that are committed and never published."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.faults.switch import Switch

ARMED = "armed"
VARIABLE = "FAULTS_CRASH_FILE"

Publish = Callable[..., None]


def crashing(publish: Publish) -> Publish:
    """Wrap `publish`: while the file $FAULTS_CRASH_FILE says "armed", the process ends without any clean-up instead.

    It first writes the time into the file, so that it crashes only once.
    """
    switch = Switch(Path(os.environ[VARIABLE]))

    def crash_or_publish(*messages: Any) -> None:
        if switch.get() == ARMED:
            switch.set(str(time.time()))
            os._exit(9)
        publish(*messages)

    return crash_or_publish
