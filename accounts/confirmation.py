"""Whether the mailbox of an account is its owner's, and the mails which say what a page must not."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.core import ratelimit
from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from accounts.models import User
from accounts.text import mailbox_key


def awaits_confirmation(user: User) -> bool:
    """Whether the account must prove its address before it gets in.

    It was registered by somebody unknown, and nobody has vouched for the address. That it was given an apartment
    or a building since is no proof: whoever gave it took the address for its owner's.
    """
    return bool(unproven_addresses().filter(user=user.pk).exists())


def unproven_addresses() -> QuerySet[EmailAddress]:
    """The addresses of accounts that await confirmation. allauth's own rows, for a reset, are not primary."""
    addresses: QuerySet[EmailAddress] = EmailAddress.objects.filter(primary=True, verified=False)
    return addresses


def confirm(user: User) -> None:
    """Note that the mailbox is its owner's: they read a mail of ours, or a manager asked them."""
    EmailAddress.objects.filter(user=user, email=user.email).update(verified=True)


def write_to_registrant(request: HttpRequest, email: str, *, invited: bool) -> None:
    """One mail to the address somebody registered with: how to confirm it, or that it has an account.

    None where the address has had as many as it may have: nobody's mailbox is to be flooded from here.
    """
    if not ratelimit.consume(request, action="confirm_email", key=mailbox_key(email)):
        return
    user = User.objects.get(email=email)
    context: dict[str, Any] = {"invited": invited}
    template = "accounts/mail/has_account"
    if awaits_confirmation(user):
        template = "accounts/mail/confirm"
        address = EmailAddress.objects.get(user=user, email=email)
        path = reverse("account_confirm_email", args=[EmailConfirmationHMAC(address).key])
        asked = user.join_requests.order_by("created_at").last()
        context |= {"link": f"{settings.SITE_URL}{path}", "join_request": asked}
    get_adapter(request).send_mail(template, email, context)
