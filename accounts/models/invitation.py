"""Invitations: links that let one person into one tenancy."""

import datetime as dt
import hashlib
import secrets

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models.history import History, record_change
from accounts.models.tenancy import Tenancy
from accounts.models.user import User

INVITATION_LIFETIME = dt.timedelta(days=14)
LONGEST_INVITATION = dt.timedelta(days=365)


def hash_token(token: str) -> str:
    """What is stored of an invitation's token: it is random and long, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def invitation_expiry() -> dt.datetime:
    """When an invitation made now runs out."""
    return timezone.now() + INVITATION_LIFETIME


class InvitationGone(Exception):
    """Somebody else was faster, or the time ran out."""


class InvitationQuerySet(models.QuerySet["Invitation"]):
    """Invitations."""

    def were_used_by(self, user: User, token: str) -> bool:
        """Whether that user joined by the invitation of this token."""
        return self.filter(token_hash=hash_token(token), used_by=user).exists()

    def usable(self, token: str) -> "Invitation | None":
        """The invitation of this token; None where it is unknown, used, expired, or for a household that is gone."""
        rows = self.filter(token_hash=hash_token(token), used_at__isnull=True, expires_at__gt=timezone.now())
        invitation = rows.select_related("tenancy__apartment__building").first()
        return None if invitation is None or invitation.tenancy.has_ended else invitation


class Invitation(models.Model):
    """A link that makes its first user a resident of one tenancy."""

    tenancy = models.ForeignKey(
        Tenancy, on_delete=models.CASCADE, related_name="invitations", verbose_name=_("tenancy")
    )
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("created by"),
    )
    expires_at = models.DateTimeField(_("expires at"), default=invitation_expiry)
    used_at = models.DateTimeField(_("used at"), null=True, editable=False)
    used_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("used by"),
    )

    objects = InvitationQuerySet.as_manager()
    history = History(excluded_fields=["token_hash"])

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")

    def __str__(self) -> str:
        return gettext("Invitation to %(apartment)s") % {"apartment": self.tenancy.apartment}

    def clean(self) -> None:
        super().clean()
        if self.expires_at and not timezone.now() < self.expires_at < timezone.now() + LONGEST_INVITATION:
            raise ValidationError({"expires_at": _("Choose a time between now and a year from now.")})

    def issue(self) -> str:
        """Save with a fresh token and return its link. The link cannot be had again later."""
        token = secrets.token_urlsafe(32)
        self.token_hash = hash_token(token)
        self.save()
        return f"{settings.SITE_URL}/register?invitation={token}"

    def accept(self, user: User) -> bool:
        """Make the user a resident. False where somebody else was faster or the time ran out."""
        now = timezone.now()
        if self.tenancy.has_ended:
            return False
        with transaction.atomic():
            claimed = Invitation.objects.filter(pk=self.pk, used_at__isnull=True, expires_at__gt=now)
            if not claimed.update(used_at=now, used_by=user):
                return False
            record_change(self, by=user)
            # Who registers through an invitation is not logged in yet.
            self.tenancy._history_user = user  # type: ignore[attr-defined]
            self.tenancy.residents.add(user)
        return True
