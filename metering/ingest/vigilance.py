"""What an operator must hear of, said loudly and seldom."""

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterable

log = logging.getLogger("riser.listener")

HOUR = 3600.0
ENOUGH = 200
NEARLY_ALL = 0.9


class Hourly:
    """Remembers what was said in the last hour. Holds one entry per key, so keys must be few (meters, not topics)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said: dict[Hashable, float] = {}

    def is_due(self, key: Hashable) -> bool:
        """Whether it is time to say this again; it counts as said from now on."""
        now = self._clock()
        if key in self._said and now - self._said[key] < HOUR:
            return False
        self._said[key] = now
        return True


class Vigilance:
    """Warnings of the listener: meters that publish with QoS 0, and refusals that cannot be the meters' fault."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._hourly = Hourly(clock)
        self._received = 0
        self._reasons: Counter[str] = Counter()

    def heard_at_qos_0(self, meters: Iterable[tuple[int, str]]) -> None:
        """These meters (id and topic) published with QoS 0; each is warned of once an hour."""
        for meter, topic in meters:
            if self._hourly.is_due(meter):
                log.warning(
                    "the meter of %s publishes with QoS 0: what it sends while the listener or the broker "
                    "is away is lost. Set it to QoS 1.",
                    topic,
                )

    def stored(self, received: int, reasons: Counter[str]) -> None:
        """A batch was stored, and so many of its messages were refused for these reasons (codes)."""
        self._received += received
        self._reasons += reasons
        if self._received < ENOUGH:
            return
        refused = self._reasons.total()
        if refused >= NEARLY_ALL * self._received and self._hourly.is_due("refused"):
            (reason, _), *_ = self._reasons.most_common(1)
            log.error(
                "%s of the last %s messages were refused, most of them as %s: this is no broken meter but a wrong "
                "decoder, a wrong topic, or somebody who floods the broker. See Rejected messages.",
                f"{refused:,}",
                f"{self._received:,}",
                reason,
            )
        self._received, self._reasons = 0, Counter()
