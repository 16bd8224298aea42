"""Paths of the pages that let people in. The names are those allauth reverses."""

from django.urls import path, re_path

from accounts.views import account, entry, passwords

urlpatterns = [
    path("login", entry.LoginView.as_view(), name="account_login"),
    path("register", entry.RegisterView.as_view(), name="account_signup"),
    path("register/sent", entry.register_sent, name="register_sent"),
    path("register/confirm/<str:key>", entry.ConfirmView.as_view(), name="account_confirm_email"),
    path("logout", entry.logout, name="account_logout"),
    path("invitation", entry.accept_invitation, name="accept_invitation"),
    path("account", account.account, name="account"),
    path("password", passwords.PasswordChangeView.as_view(), name="account_change_password"),
    path("password/reset", passwords.PasswordResetView.as_view(), name="account_reset_password"),
    path("password/reset/sent", passwords.PasswordResetDoneView.as_view(), name="account_reset_password_done"),
    re_path(
        r"^password/reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[^/]+)$",
        passwords.PasswordResetFromKeyView.as_view(),
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/done",
        passwords.PasswordResetFromKeyDoneView.as_view(),
        name="account_reset_password_from_key_done",
    ),
    path("inactive", entry.AccountInactiveView.as_view(), name="account_inactive"),
]
