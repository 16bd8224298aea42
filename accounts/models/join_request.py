"""Requests of people who registered without an invitation."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models.building import Apartment
from accounts.models.tenancy import Tenancy, open_tenancy
from accounts.models.user import User


class JoinRequest(models.Model):
    """Somebody registered for an apartment without an invitation; a manager decides."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        APPROVED = "approved", _("Approved")
        REFUSED = "refused", _("Refused")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="join_requests", verbose_name=_("account")
    )
    apartment = models.ForeignKey(
        Apartment, on_delete=models.CASCADE, related_name="join_requests", verbose_name=_("apartment")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.WAITING, editable=False)
    decided_at = models.DateTimeField(_("decided at"), null=True, editable=False)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("decided by"),
    )

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("join request")
        verbose_name_plural = _("join requests")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "apartment"], condition=Q(state="waiting"), name="join_request_waits_once"
            )
        ]

    def __str__(self) -> str:
        return gettext("%(account)s for %(apartment)s") % {"account": self.user, "apartment": self.apartment}

    def join_household(self, manager: User) -> bool:
        """Approve into the tenancy that lasts today, or into a new one where the apartment is empty."""
        today = self.apartment.building.today()
        with transaction.atomic():
            if not self._decide(self.State.APPROVED, manager):
                return False
            tenancy = Tenancy.objects.on(self.apartment, today).first() or open_tenancy(self.apartment, today)
            tenancy.residents.add(self.user)
        return True

    def move_in(self, manager: User) -> bool:
        """Approve as a new household from today; the household before it ends today.

        Raises ValidationError where somebody moved in today already: that is another household.
        """
        with transaction.atomic():
            if not self._decide(self.State.APPROVED, manager):
                return False
            tenancy = open_tenancy(self.apartment, self.apartment.building.today())
            if tenancy.residents.exists():
                raise ValidationError(
                    _("A household moved in today already. Do they belong to it? Then approve as such.")
                )
            tenancy.residents.add(self.user)
        return True

    def refuse(self, manager: User) -> bool:
        """Refuse; the account stays and sees nothing."""
        return self._decide(self.State.REFUSED, manager)

    def _decide(self, state: "JoinRequest.State", manager: User) -> bool:
        """Claim the request in one statement: two managers deciding at once decide it once."""
        waiting = JoinRequest.objects.filter(pk=self.pk, state=self.State.WAITING)
        return bool(waiting.update(state=state, decided_at=timezone.now(), decided_by=manager))
