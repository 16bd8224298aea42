"""What the listeners did, in Prometheus' words. The figures come from the database: any process can tell."""

from collections.abc import Iterator

from django.utils import timezone
from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from metering.models import ListenerState

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
        yield self._gauge("heartbeat_age_seconds", "Time since the listener's last sign of life", self._ages(listeners))
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
    def _ages(listeners: list[ListenerState]) -> dict[str, float]:
        now = timezone.now()
        return {listener.name: (now - listener.heartbeat_at).total_seconds() for listener in listeners}

    @staticmethod
    def _gauge(name: str, text: str, values: dict[str, float]) -> Metric:
        gauge = GaugeMetricFamily(f"riser_listener_{name}", text, labels=["listener"])
        for listener, value in values.items():
            gauge.add_metric([listener], value)
        return gauge


def exposition() -> bytes:
    """All figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ListenerCollector())
    return generate_latest(registry)
