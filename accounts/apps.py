from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Who may see what."""

    name = "accounts"
    verbose_name = "Building and residents"
