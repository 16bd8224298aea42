"""What the listeners did, in Prometheus' words. The figures come from the database: any process can tell."""

from collections.abc import Iterator

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from metering.models import ListenerState
from metering.storage import measure_storage

COUNTERS = {
    "received": "Messages taken from the broker",
    "stored": "Readings stored",
    "duplicates": "Redeliveries recognised and not stored again",
    "ignored": "Retained messages without a time of their own",
}


class ListenerCollector(Collector):
    """One sample of each figure per listener."""

    def collect(self) -> Iterator[Metric]:
        listeners = list(ListenerState.objects.all())
        for name, text in COUNTERS.items():
            counter = CounterMetricFamily(f"riser_messages_{name}", text, labels=["listener"])
            for listener in listeners:
                counter.add_metric([listener.name], getattr(listener, name))
            yield counter
        yield self._rejected(listeners)
        yield self._batches(listeners)
        yield self._gauge("batch_size", "Messages in the newest batch", _each(listeners, "batch_size"))
        yield self._gauge(
            "batch_wait_seconds",
            "How long the oldest message of the newest batch had waited when it was stored",
            _each(listeners, "batch_wait"),
        )
        yield self._gauge(
            "oldest_unstored_seconds",
            "How old the oldest message not stored yet may be: 0 while the listener is on time",
            _each(listeners, "unstored_seconds"),
        )
        silent = _each(listeners, "silent_seconds")
        yield self._gauge("heartbeat_age_seconds", "Time since the listener's last sign of life", silent)
        connected = {listener.name: float(listener.is_up and listener.broker_connected) for listener in listeners}
        yield self._gauge("broker_connected", "Whether the listener reaches the broker", connected)

    @staticmethod
    def _rejected(listeners: list[ListenerState]) -> Metric:
        rejected = CounterMetricFamily("riser_messages_rejected", "Refused messages", labels=["listener", "reason"])
        for listener in listeners:
            for reason, number in listener.rejected_by_reason.items():
                rejected.add_metric([listener.name, reason], number)
        return rejected

    @staticmethod
    def _batches(listeners: list[ListenerState]) -> Metric:
        batches = SummaryMetricFamily(
            "riser_batch_commit_seconds", "Time that batches took in the database", labels=["listener"]
        )
        for listener in listeners:
            batches.add_metric([listener.name], count_value=listener.batches, sum_value=listener.commit_seconds)
        return batches

    @staticmethod
    def _gauge(name: str, text: str, values: dict[str, float]) -> Metric:
        gauge = GaugeMetricFamily(f"riser_listener_{name}", text, labels=["listener"])
        for listener, value in values.items():
            gauge.add_metric([listener], value)
        return gauge


class StorageCollector(Collector):
    """The size of the database."""

    def collect(self) -> Iterator[Metric]:
        storage = measure_storage()
        yield GaugeMetricFamily("riser_database_bytes", "Size of the database", value=storage.database)
        if storage.wal is not None:
            yield GaugeMetricFamily("riser_wal_bytes", "Size of SQLite's write-ahead log", value=storage.wal)


def _each(listeners: list[ListenerState], field: str) -> dict[str, float]:
    return {listener.name: float(getattr(listener, field)) for listener in listeners}


def exposition() -> bytes:
    """All figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ListenerCollector())
    registry.register(StorageCollector())
    return generate_latest(registry)
