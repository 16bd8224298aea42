"""Accounts, with what their readings have to do with them."""

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from accounts.admin.users import UserAdmin
from accounts.models import User
from metering.erasure import delete_person


@admin.register(User)
class UserWithReadingsAdmin(UserAdmin):
    """An account; whoever deletes it, the same goes with it."""

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        delete_person(obj)

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[User]) -> None:
        for user in queryset:
            delete_person(user)
