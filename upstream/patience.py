"""Retries of requests to ElevenLabs: only of requests that read, with growing pauses, and up to a limit."""

from __future__ import annotations

import threading
from collections.abc import Callable

from upstream.errors import NoAnswer, NotConfigured, Refused, TooLarge, Unreachable, UpstreamError

GAP_SECONDS = 0.05  # between two requests, so that a round leaves some of the rate limit to others
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
PAUSES_SECONDS = 180.0  # the sum of all pauses in one round of reconciling
KEEP_SECONDS = 20.0  # the longest time between two calls of `keep`, apart from the time of a request
TRIES = 3  # of one request that fails, but not by a rate limit


class GiveUp(Exception):
    """The round has to end: further requests would fail, it has paused for too long, or it was stopped."""


class Patience:
    """Makes the requests of a round, one by one, with retries. It calls `keep` before each; `stop` ends the round."""

    def __init__(self, keep: Callable[[], None], stop: threading.Event, pauses_seconds: float | None = None) -> None:
        self.requests = 0
        self._keep, self._stop = keep, stop
        self._left = PAUSES_SECONDS if pauses_seconds is None else pauses_seconds

    def ask[**Given, Result](
        self, request: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """Make a request until it succeeds, and return its result.

        Raises UpstreamError if this request fails finally, GiveUp if every other request would fail too.
        """
        pause, tries = FIRST_PAUSE_SECONDS, 0
        while True:
            self._wait(GAP_SECONDS)
            self._keep()
            self.requests += 1
            try:
                return request(*args, **kwargs)
            except Refused as error:
                if error.is_busy:
                    self._pause(error.retry_after_seconds or pause, error)
                elif error.status in (401, 402, 403):
                    raise GiveUp(str(error)) from None
                elif error.status < 500 or (tries := tries + 1) >= TRIES:
                    raise
                else:
                    self._pause(pause, error)
            except Unreachable as error:
                self._pause(pause, error)
            except NotConfigured as error:
                raise GiveUp(str(error)) from None
            except TooLarge:
                raise
            except NoAnswer as error:
                if (tries := tries + 1) >= TRIES:
                    raise
                self._pause(pause, error)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _pause(self, seconds: float, error: UpstreamError) -> None:
        if seconds > self._left:
            raise GiveUp(str(error)) from None
        self._left -= seconds
        while seconds > 0:
            self._keep()
            self._wait(min(seconds, KEEP_SECONDS))
            seconds -= KEEP_SECONDS

    def _wait(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise GiveUp("The round was stopped.")
