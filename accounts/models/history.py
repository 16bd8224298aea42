"""The history that a model keeps of its rows: who changed one, when, and what it was then."""

import copy
import datetime as dt
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_noop
from simple_history.models import HistoricalRecords
from simple_history.utils import get_m2m_reverse_field_name

BEGAN = gettext_noop("There already when this history began")


class History(HistoricalRecords):
    """django-simple-history, with a record for what changed and none for what was merely saved again.

    Who did it stays as a number without a foreign key: an account that is deleted later must not be
    taken for a command on the server, which has no number.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(history_user_id_field=models.BigIntegerField(null=True), **options)

    def create_historical_record(self, instance: Any, history_type: str, using: Any = None) -> None:
        if history_type != "~" or self._has_changed(instance):
            super().create_historical_record(instance, history_type, using)

    def post_save(
        self, instance: Any, created: bool, using: Any = None, update_fields: Any = None, **kwargs: Any
    ) -> None:
        if update_fields is not None:
            if {field.name for field in self.fields_included(instance)}.isdisjoint(update_fields):
                return
            (instance,) = self._as_stored({instance.pk}, instance)
        super().post_save(instance, created, using=using, **kwargs)

    def m2m_changed(self, instance: Any, action: str, attr: str, pk_set: Any, reverse: bool, **_: Any) -> None:
        if action == "pre_clear" and reverse:
            # Afterwards nobody knows which they were.
            instance._to_clear = set(self.cls._base_manager.filter(**{attr: instance.pk}).values_list("pk", flat=True))
        if action == "post_clear" and reverse:
            pk_set = instance.__dict__.pop("_to_clear")
        if action in {"post_add", "post_remove", "post_clear"}:
            for row in self._as_stored(pk_set if reverse else {instance.pk}, instance):
                self.create_historical_record(row, "~")

    def _as_stored(self, pks: set[Any], instance: Any) -> list[Any]:
        """The rows as the database has them: the rest of an instance may be old by now, and a record must not lie."""
        rows = list(self.cls._base_manager.filter(pk__in=pks))
        for row in rows:
            if hasattr(instance, "_history_user"):
                row._history_user = instance._history_user
        return rows

    def _has_changed(self, instance: Any) -> bool:
        records = getattr(type(instance), self.manager_name)
        newest = records.filter(**{instance._meta.pk.attname: instance.pk}).first()
        if newest is None:
            return True
        for field in self.fields_included(instance):
            if field.to_python(getattr(instance, field.attname)) != getattr(newest, field.attname):
                return True
        for field in self.get_m2m_fields_from_model(type(instance)):
            before = getattr(newest, field.name).values_list(get_m2m_reverse_field_name(field), flat=True)
            if set(before) != set(getattr(instance, field.name).values_list("pk", flat=True)):
                return True
        return False


class PersonHistory(History):
    """The history of accounts."""

    def get_history_user(self, instance: Any) -> Any:
        """Who did it; a visitor who is not logged in and saves an account is registering it."""
        who = super().get_history_user(instance)
        return instance if who is None and hasattr(self.context, "request") else who

    def pre_delete(self, instance: Any, **kwargs: Any) -> None:
        super().pre_delete(instance, **kwargs)
        # A database that drops the links by itself would leave no trace in the tenancies and buildings.
        for tenancy in instance.tenancies.all():
            tenancy.residents.remove(instance)
        for building in instance.managed_buildings.all():
            building.managers.remove(instance)

    def create_historical_record(self, instance: Any, history_type: str, using: Any = None) -> None:
        if history_type == "-":
            # The record before this one has the address, unless it was forgotten.
            instance = copy.copy(instance)
            instance.email = ""
        super().create_historical_record(instance, history_type, using)


def record_change(row: Any, by: Any = None) -> None:
    """Write the history of a row that an UPDATE has just changed; `by` whom, else by who is logged in."""
    row.refresh_from_db()
    type(row).history.bulk_history_create([row], update=True, default_user=by)


def past_states(records: models.QuerySet[Any]) -> Iterator[tuple[Any, dt.datetime]]:
    """Those of whole histories that do not hold any more, each with the time until which it held."""
    for record, newer in pairwise(records.order_by("id", "history_date", "history_id")):
        if newer.id == record.id:
            yield record, newer.history_date


def begin_history(apps: Any, label: str, people: str = "") -> None:
    """For a migration: a record of each row as it is when the history of its model begins.

    `people` is the many-to-many field whose members belong to the record.
    """
    app, name = label.split(".")
    model, records = apps.get_model(label), apps.get_model(app, f"Historical{name}")
    fields = [field.attname for field in records._meta.fields if not field.name.startswith("history_")]
    began = {"history_date": timezone.now(), "history_type": "+", "history_change_reason": BEGAN}
    made = [records(**row, **began) for row in model.objects.order_by("pk").values(*fields)]
    records.objects.bulk_create(made, batch_size=500)
    if people:
        members = apps.get_model(app, f"Historical{name}_{people}")
        of_row = {record.id: record.pk for record in made}
        links = getattr(model, people).through.objects.values()
        rows = [members(history_id=of_row[link[f"{name.lower()}_id"]], **link) for link in links]
        members.objects.bulk_create(rows, batch_size=500)
