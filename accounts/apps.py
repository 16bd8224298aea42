from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Who may see what."""

    name = "accounts"
    verbose_name = _("Building and residents")
