"""Decimals in Django admin: shown and taken as the reader's language writes them."""

from decimal import Decimal
from typing import Any

from django.contrib.admin.options import BaseModelAdmin
from django.db import models
from django.forms import DecimalField
from django.http import HttpRequest


class PlainDecimalField(DecimalField):
    """Shows 0.32 where six decimals are kept."""

    def prepare_value(self, value: Any) -> Any:
        # What was entered and refused is no decimal: it is shown as it was entered.
        return value.normalize() if isinstance(value, Decimal) else value


class DecimalsAdmin(BaseModelAdmin):
    """For lists of rows and for rows within a form. A point is understood in every language."""

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        if not isinstance(db_field, models.DecimalField):
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        plain = {"localize": True, "form_class": PlainDecimalField}
        field = super().formfield_for_dbfield(db_field, request, **kwargs | plain)
        if field:
            # No longer a field of numbers, for which phones show digits by themselves.
            field.widget.attrs["inputmode"] = "decimal"
        return field
