"""Django admin for the managers of some buildings: they see these and no others."""

from typing import Any, NoReturn

from django.db import models
from django.forms import ModelChoiceField, ModelMultipleChoiceField
from django.http import Http404, HttpRequest

from accounts.access import user_of
from accounts.deleting_admin import DeletingAdmin
from accounts.models import Building


class ScopedAdmin(DeletingAdmin):
    """Shows, offers and accepts only what belongs to the buildings the user manages.

    `building_path` is the look-up that leads from the model to its building. The rows that may be
    chosen in a relation are the rows which the related model's own admin shows this user, in the
    drop-down as well as in what a POST may name.
    """

    building_path: str

    def in_scope(self, request: HttpRequest, rows: models.QuerySet[Any]) -> models.QuerySet[Any]:
        """The rows that belong to buildings this user manages."""
        if request.user.is_superuser:
            return rows
        return rows.filter(**{f"{self.building_path}__in": Building.objects.managed_by(user_of(request))})

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return self.in_scope(request, super().get_queryset(request))

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> NoReturn:
        # Django leads to the index. What is not yours answers as everywhere else.
        raise Http404

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._is_manager(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_manager(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._is_manager(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_manager(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_manager(request)

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        self._limit_choices(db_field, request, kwargs)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(
        self, db_field: models.ManyToManyField, request: HttpRequest, **kwargs: Any
    ) -> ModelMultipleChoiceField | None:
        self._limit_choices(db_field, request, kwargs)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def _limit_choices(self, db_field: Any, request: HttpRequest, kwargs: dict[str, Any]) -> None:
        related = self.admin_site.get_model_admin(db_field.remote_field.model)
        kwargs["queryset"] = related.get_queryset(request)

    @staticmethod
    def _is_manager(request: HttpRequest) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_manager", False))


class ReadOnlyAdmin(ScopedAdmin):
    """What nobody edits by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
