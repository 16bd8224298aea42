"""Who may do what with each model in Django's admin. A new model or action is one line here."""

from dataclasses import dataclass

from django.contrib import admin

MANAGERS = ("manager", "other_manager", "superuser")
SUPERUSER = ("superuser",)
NOBODY = ()

# The routes that Django's admin gives every model, and what ours have besides.
ROUTES = {"", "add/", "<path:object_id>/history/", "<path:object_id>/delete/", "<path:object_id>/change/",
          "<path:object_id>/"}  # fmt: skip
TRACED = ("accounts.building", "accounts.apartment", "accounts.tenancy", "accounts.invitation", "accounts.user",
          "metering.meter", "metering.tariff")  # fmt: skip
EXTRA_ROUTES = {label: {"deleted/"} for label in TRACED} | {
    "accounts.user": {"deleted/", "<id>/password/"},
    "accounts.building": {"deleted/", "<path:object_id>/energy/", "<path:object_id>/picture/"},
}


@dataclass(frozen=True)
class Rights:
    """Who may add, change and delete the rows they see, and which actions are offered to whom."""

    add: tuple[str, ...]
    change: tuple[str, ...]
    delete: tuple[str, ...]
    actions: tuple[str, ...] = ()
    superuser_actions: tuple[str, ...] = ()


DELETE = ("delete_selected",)
TAKE_OFF = ("delete_selected", "take_off_two_factor")
DECIDE = ("delete_selected", "join_household", "move_in", "vouch", "refuse")
# fmt: off
ADMIN = {
    #                                  add        change     delete     actions
    "accounts.building":        Rights(SUPERUSER, MANAGERS,  SUPERUSER, (),      DELETE),
    "accounts.apartment":       Rights(MANAGERS,  MANAGERS,  MANAGERS,  DELETE,  DELETE),
    "accounts.tenancy":         Rights(MANAGERS,  MANAGERS,  MANAGERS,  DELETE,  DELETE),
    "accounts.invitation":      Rights(MANAGERS,  NOBODY,    MANAGERS,  DELETE,  DELETE),
    "accounts.joinrequest":     Rights(NOBODY,    NOBODY,    MANAGERS,  DECIDE,  DECIDE),
    "accounts.user":            Rights(SUPERUSER, SUPERUSER, SUPERUSER, (),      TAKE_OFF),
    "accounts.accessrecord":    Rights(NOBODY,    NOBODY,    NOBODY),
    "metering.meter":           Rights(MANAGERS,  MANAGERS,  MANAGERS,  DELETE,  DELETE),
    "metering.reading":         Rights(NOBODY,    NOBODY,    NOBODY),
    "metering.rejectedmessage": Rights(NOBODY,    NOBODY,    MANAGERS,  DELETE,  DELETE),
    "metering.tariff":          Rights(MANAGERS,  MANAGERS,  MANAGERS),
    "metering.listenerstate":   Rights(NOBODY,    NOBODY,    SUPERUSER),
}
# fmt: on


def path_of(label: str) -> str:
    """Where the admin of this model begins."""
    return f"/admin/{label.replace('.', '/')}/"


def admin_patterns() -> set[str]:
    """The patterns of all models in the table."""
    return {f"{path_of(label)[1:]}{route}" for label in ADMIN for route in ROUTES | EXTRA_ROUTES.get(label, set())}


def admin_of(label: str) -> admin.ModelAdmin:
    """The admin of this model."""
    found: admin.ModelAdmin = next(a for model, a in admin.site._registry.items() if model._meta.label_lower == label)
    return found
