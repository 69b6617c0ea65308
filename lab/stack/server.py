"""The common class of all servers: a `with` block starts a server and removes everything of it afterwards."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from lab.stack.owner import remove_folder
from lab.stack.process import Process


class Server(ABC):
    """A program with a folder of its own, which lives as long as a `with` block, or as this process."""

    def __init__(self, folder: Path, process: Process) -> None:
        self.folder, self.process = folder, process
        atexit.register(self.close)

    @abstractmethod
    def start(self) -> None:
        """Start the server, and return when it answers. Raises ServerError with the server's log if it does not."""

    def close(self) -> None:
        """End the server at once, and remove everything that it wrote."""
        self.process.end(self.process.last_signal)
        remove_folder(self.folder)
        atexit.unregister(self.close)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all processes of the server meanwhile (SIGSTOP). The kernel still accepts data that is sent to them."""
        pid = self.process.pid
        pids = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
        for one in pids:
            os.kill(one, signal.SIGSTOP)
        try:
            yield
        finally:
            for one in pids:
                os.kill(one, signal.SIGCONT)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
