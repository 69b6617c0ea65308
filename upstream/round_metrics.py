"""Metrics of the last round of reconciling, read from its row, because rounds run in another process."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.db import Error
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from upstream.models import ReconcileRound

KEPT_SECONDS = 15.0  # so that many requests for /metrics cost few queries


class LastRound(Collector):
    def __init__(self) -> None:
        self._read_at = 0.0
        self._round: ReconcileRound | None = None

    def describe(self) -> list[Metric]:
        """Return nothing: else the registry would read the database when this module is imported."""
        return []

    def collect(self) -> Iterator[Metric]:
        now = time.monotonic()
        if not self._read_at or now - self._read_at > KEPT_SECONDS:
            self._read_at = now
            try:
                self._round = ReconcileRound.objects.exclude(ended_at=None).order_by("-id").first()
            except Error:
                return  # without the database, the other metrics are needed most
        done = self._round
        if done is None or done.ended_at is None:
            return
        counts = GaugeMetricFamily(
            "callsite_reconcile_last_round", "Counts of the last round of reconciling.", labels=["count"]
        )
        for name in ReconcileRound.COUNTS:
            counts.add_metric([name], getattr(done, name))
        yield counts
        times = {"ended": done.ended_at, "watermark": done.watermark}
        for name, at in times.items():
            if at is not None:
                text = f"Unix time of the last round of reconciling: {name}."
                yield GaugeMetricFamily(f"callsite_reconcile_{name}_seconds", text, value=at.timestamp())
        text = "1 if the last round of reconciling came to its end."
        yield GaugeMetricFamily("callsite_reconcile_complete", text, value=float(not done.error))


LAST_ROUND = LastRound()
REGISTRY.register(LAST_ROUND)
