"""Decimals in Django admin: shown and taken as the reader's language writes them."""

from typing import Any

from django.contrib.admin.options import BaseModelAdmin
from django.db import models
from django.http import HttpRequest


class DecimalsAdmin(BaseModelAdmin):
    """For lists of rows and for rows within a form. A point is understood in every language."""

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        if not isinstance(db_field, models.DecimalField):
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        field = super().formfield_for_dbfield(db_field, request, **kwargs, localize=True)
        if field:
            # No longer a field of numbers, for which phones show digits by themselves.
            field.widget.attrs["inputmode"] = "decimal"
        return field
