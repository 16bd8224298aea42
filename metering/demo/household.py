"""A household's electricity, made up but plausible, and the same whenever one asks."""

import datetime as dt
import math
import random
import zoneinfo
from functools import lru_cache
from typing import NamedTuple

DAY = 86_400


class Appliance(NamedTuple):
    """Something switched on once: seconds of local time since midnight, and W."""

    begins: float
    ends: float
    power: float
    duty_seconds: float
    """A thermostat's period; 0 for steady use."""


class Sample(NamedTuple):
    """What the meter of a household would say."""

    voltage: float
    """V"""
    current: float
    """A"""
    power_factor: float

    @property
    def power(self) -> float:
        """W"""
        return self.voltage * self.current * self.power_factor


class Household:
    """The habits of one apartment, drawn from its name."""

    def __init__(self, name: str, zone: zoneinfo.ZoneInfo) -> None:
        habits = random.Random(name)
        self._name = name
        self._zone = zone
        self._standby = habits.uniform(25, 70)
        self._fridge_power = habits.uniform(70, 120)
        self._fridge_period = habits.uniform(2400, 4200)
        self._evening_power = habits.uniform(90, 260)
        self._rises = habits.uniform(5.8, 8.2) * 3600
        self._retires = habits.uniform(21.8, 24.3) * 3600
        self._cooks = habits.uniform(0.35, 0.8)
        self._phase = habits.uniform(0, 2 * math.pi)
        self._day = lru_cache(maxsize=4)(self._draw_day)

    def sample(self, instant: dt.datetime) -> Sample:
        """What the meter says at that instant."""
        local = instant.astimezone(self._zone)
        seconds = local.hour * 3600 + local.minute * 60 + local.second + local.microsecond / 1e6
        load = self._standby + self._fridge(instant.timestamp()) + self._light(seconds)
        load += sum(self._drawn_by(appliance, seconds) for appliance in self._day(local.date()))
        ripple = math.sin(instant.timestamp() / 7 + self._phase) * math.sin(instant.timestamp() / 1.9)
        load *= 1 + 0.015 * ripple
        grid = 1.6 * math.sin(seconds / DAY * 4 * math.pi + self._phase) + 0.7 * math.sin(instant.timestamp() / 211)
        voltage = round(231.0 + grid - load / 1600, 1)
        power_factor = 0.99 if load > 900 else 0.94
        return Sample(voltage, round(load / (voltage * power_factor), 3), power_factor)

    def _fridge(self, timestamp: float) -> float:
        position = (timestamp / self._fridge_period + self._phase) % 1
        return self._fridge_power * (1 + 0.25 * math.exp(-position * 25)) if position < 0.36 else 0.0

    def _light(self, seconds: float) -> float:
        """Lamps, screens and a cooker hood: little in the morning, most in the evening."""
        morning = math.exp(-(((seconds - self._rises) / 2700) ** 2)) * 0.4
        evening = 1 / (1 + math.exp(-(seconds - 17.5 * 3600) / 1500)) / (1 + math.exp((seconds - self._retires) / 700))
        # Who retires after midnight has light on before it, too.
        late = 1 / (1 + math.exp((seconds + DAY - self._retires) / 700))
        return self._evening_power * (morning + evening + late)

    @staticmethod
    def _drawn_by(appliance: Appliance, seconds: float) -> float:
        if not appliance.begins <= seconds < appliance.ends:
            return 0.0
        since = seconds - appliance.begins
        # An oven heats up for ten minutes; then its thermostat switches.
        if appliance.duty_seconds and since > 600 and since % appliance.duty_seconds > appliance.duty_seconds * 0.4:
            return 60.0
        return appliance.power

    def _draw_day(self, date: dt.date) -> tuple[Appliance, ...]:
        dice = random.Random(f"{self._name} {date}")
        uses = [self._kettle(dice, self._rises + dice.uniform(300, 2400))]
        uses += [self._kettle(dice, dice.uniform(11, 21) * 3600) for _ in range(dice.randrange(1, 4))]
        if dice.random() < self._cooks:
            begins = dice.gauss(18.4, 0.6) * 3600
            uses.append(Appliance(begins, begins + dice.uniform(2100, 4500), dice.uniform(1900, 2400), 180))
        if dice.random() < 0.5:
            begins = dice.gauss(12.5, 0.4) * 3600
            uses.append(Appliance(begins, begins + dice.uniform(600, 1500), dice.uniform(900, 1500), 0))
        if dice.random() < 0.3:
            begins = dice.uniform(9, 20) * 3600
            uses.append(Appliance(begins, begins + dice.uniform(900, 1300), 2050, 0))
            uses.append(Appliance(begins + 1300, begins + dice.uniform(5000, 7000), 210, 0))
        return tuple(uses)

    @staticmethod
    def _kettle(dice: random.Random, begins: float) -> Appliance:
        return Appliance(begins, begins + dice.uniform(110, 230), dice.uniform(1800, 2200), 0)
