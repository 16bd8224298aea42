"""Whether the mailbox of an account is its owner's, and the mails which say what a page must not."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.core import ratelimit
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from accounts.models import User
from accounts.text import mailbox_of


def awaits_confirmation(user: User) -> bool:
    """Whether the account must prove its address before it gets in.

    It was registered by somebody unknown, and nobody has vouched for the address or made it a manager.
    """
    unproven = EmailAddress.objects.filter(user=user.pk, email=user.email, verified=False)
    waiting: bool = unproven.filter(
        user__join_requests__isnull=False,
        user__managed_buildings__isnull=True,
        user__is_superuser=False,
    ).exists()
    return waiting


def confirm(user: User) -> None:
    """Note that the mailbox is its owner's: they read a mail of ours, or a manager asked them."""
    EmailAddress.objects.filter(user=user, email=user.email).update(verified=True)


def write_to_registrant(request: HttpRequest, email: str, *, invited: bool) -> None:
    """One mail to the address somebody registered with: how to confirm it, or that it has an account.

    None where the address has had as many as it may have: nobody's mailbox is to be flooded from here.
    """
    if not ratelimit.consume(request, action="confirm_email", key=mailbox_of(email)):
        return
    user = User.objects.get(email=email)
    context: dict[str, Any] = {"invited": invited}
    template = "accounts/mail/has_account"
    if awaits_confirmation(user):
        template = "accounts/mail/confirm"
        address = EmailAddress.objects.get(user=user, email=email)
        path = reverse("account_confirm_email", args=[EmailConfirmationHMAC(address).key])
        context |= {"link": f"{settings.SITE_URL}{path}", "join_request": user.join_requests.latest("created_at")}
    get_adapter(request).send_mail(template, email, context)
