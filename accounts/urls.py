"""Paths of the pages that let people in. The names are those allauth reverses."""

from django.urls import path, re_path
from django.views.generic import RedirectView
from django.views.i18n import set_language

from accounts.views import access_records, account, entry, passwords, two_factor

urlpatterns = [
    path("login", entry.LoginView.as_view(), name="account_login"),
    path("login/code", two_factor.CodeView.as_view(), name="mfa_authenticate"),
    path("register", entry.RegisterView.as_view(), name="account_signup"),
    path("register/sent", entry.register_sent, name="register_sent"),
    path("register/confirm/<str:key>", entry.ConfirmView.as_view(), name="account_confirm_email"),
    path("logout", entry.logout, name="account_logout"),
    path("invitation", entry.accept_invitation, name="accept_invitation"),
    path("account", account.account, name="account"),
    path("account/language", account.choose_language, name="choose_language"),
    path("account/log-out-everywhere", account.log_out_everywhere, name="log_out_everywhere"),
    path("account/confirm", two_factor.PasswordView.as_view(), name="account_reauthenticate"),
    # allauth offers a code in place of the password; a phone left unlocked must not suffice to take two-factor off.
    path(
        "account/confirm/code",
        RedirectView.as_view(pattern_name="account_reauthenticate", query_string=True),
        name="mfa_reauthenticate",
    ),
    path("account/two-factor", RedirectView.as_view(pattern_name="account"), name="mfa_index"),
    path("account/two-factor/set-up", two_factor.SetUpView.as_view(), name="mfa_activate_totp"),
    path("account/two-factor/take-off", two_factor.TakeOffView.as_view(), name="mfa_deactivate_totp"),
    path("account/two-factor/codes", two_factor.RecoveryCodesView.as_view(), name="mfa_view_recovery_codes"),
    path(
        "account/two-factor/codes/file",
        two_factor.DownloadRecoveryCodesView.as_view(),
        name="mfa_download_recovery_codes",
    ),
    path("account/two-factor/codes/new", two_factor.NewRecoveryCodesView.as_view(), name="mfa_generate_recovery_codes"),
    path("account/access", access_records.access_records, name="access_records"),
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
    path("language", set_language, name="set_language"),
    path("inactive", entry.AccountInactiveView.as_view(), name="account_inactive"),
]
