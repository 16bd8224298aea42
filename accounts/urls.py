"""Paths of the pages that let people in. The names are those allauth reverses."""

from django.urls import path, re_path

from accounts import views

urlpatterns = [
    path("login", views.LoginView.as_view(), name="account_login"),
    path("register", views.RegisterView.as_view(), name="account_signup"),
    path("logout", views.logout, name="account_logout"),
    path("invitation", views.accept_invitation, name="accept_invitation"),
    path("password", views.PasswordChangeView.as_view(), name="account_change_password"),
    path("password/reset", views.PasswordResetView.as_view(), name="account_reset_password"),
    path("password/reset/sent", views.PasswordResetDoneView.as_view(), name="account_reset_password_done"),
    re_path(
        r"^password/reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[^/]+)$",
        views.PasswordResetFromKeyView.as_view(),
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/done",
        views.PasswordResetFromKeyDoneView.as_view(),
        name="account_reset_password_from_key_done",
    ),
    path("inactive", views.AccountInactiveView.as_view(), name="account_inactive"),
]
