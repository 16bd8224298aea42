"""People who registered without an invitation."""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Prefetch
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.access import user_of
from accounts.admin.apartments import describe_household, households_now
from accounts.confirmation import confirm, unproven_addresses
from accounts.models import Apartment, JoinRequest, User
from accounts.scoped_admin import ReadOnlyAdmin

UNPROVEN = _(
    "Not approved: %(request)s. The email address is not confirmed and may be a stranger's. Let them open the link "
    "in their mail. Or ask them whether the address is theirs, choose that you did, and approve then."
)


@admin.register(JoinRequest)
class JoinRequestAdmin(ReadOnlyAdmin):
    """Approve or refuse people who registered without an invitation."""

    building_path = "apartment__building"
    list_display = ("user", "address", "apartment", "lives_there_now", "state", "created_at", "decided_by")
    list_filter = ("state", ("apartment__building", admin.RelatedOnlyFieldListFilter))
    search_fields = ("user__email", "apartment__number")
    list_select_related = ("user", "decided_by")
    fields = ("user", "address", "apartment", "lives_there_now", "created_at", "state", "decided_at", "decided_by")
    readonly_fields = ("address", "lives_there_now")
    actions = ("join_household", "move_in", "vouch", "refuse")
    change_form_template = "admin/accounts/joinrequest/change_form.html"

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[JoinRequest]:
        apartments = Apartment.objects.select_related("building").prefetch_related(households_now())
        unproven = unproven_addresses().filter(user=OuterRef("user"))
        rows: models.QuerySet[JoinRequest] = super().get_queryset(request)
        return rows.annotate(is_unproven=Exists(unproven)).prefetch_related(Prefetch("apartment", apartments))

    @admin.display(description=_("email address"))
    def address(self, join_request: Any) -> str:
        return gettext("not confirmed: may be a stranger's") if join_request.is_unproven else gettext("confirmed")

    @admin.display(description=_("lives there now"))
    def lives_there_now(self, join_request: JoinRequest) -> str:
        return describe_household(join_request.apartment)

    @admin.action(description=_("Approve: joins the household that lives there now"), permissions=["view"])
    def join_household(self, request: HttpRequest, rows: models.QuerySet[JoinRequest]) -> None:
        self._decide(request, self._proven(request, rows), JoinRequest.join_household)

    @admin.action(description=_("Approve: new household from today, the one before it ends"), permissions=["view"])
    def move_in(self, request: HttpRequest, rows: models.QuerySet[JoinRequest]) -> None:
        self._decide(request, self._proven(request, rows), JoinRequest.move_in)

    @admin.action(description=_("I asked them: the email address is theirs"), permissions=["view"])
    def vouch(self, request: HttpRequest, rows: models.QuerySet[JoinRequest]) -> None:
        for row in rows:
            confirm(row.user)
            self.log_change(request, row, gettext("Vouched for the email address."))
            self.message_user(
                request, gettext("Confirmed by you: %(account)s.") % {"account": row.user}, messages.SUCCESS
            )

    @admin.action(description=_("Refuse"), permissions=["view"])
    def refuse(self, request: HttpRequest, rows: models.QuerySet[JoinRequest]) -> None:
        self._decide(request, rows, JoinRequest.refuse)

    def _proven(self, request: HttpRequest, rows: models.QuerySet[Any]) -> list[JoinRequest]:
        """Those whose address is known to be theirs: an approval must not let a stranger in under another's name."""
        for row in rows.filter(is_unproven=True):
            self.message_user(request, UNPROVEN % {"request": row}, messages.ERROR)
        return list(rows.filter(is_unproven=False))

    def _decide(
        self,
        request: HttpRequest,
        rows: Iterable[JoinRequest],
        decide: Callable[[JoinRequest, User], bool],
    ) -> None:
        decided = []
        for row in rows:
            try:
                decided.append(decide(row, user_of(request)))
            except ValidationError as error:
                words = gettext("Not approved: %(request)s. %(problem)s")
                problem = words % {"request": row, "problem": " ".join(error.messages)}
                self.message_user(request, problem, messages.ERROR)
        if any(decided):
            self.message_user(request, self._done(decide, sum(decided)), messages.SUCCESS)
        if not all(decided):
            late = decided.count(False)
            words = ngettext("%(number)s had been decided already.", "%(number)s had been decided already.", late)
            self.message_user(request, words % {"number": late}, messages.WARNING)

    @staticmethod
    def _done(decide: Callable[[JoinRequest, User], bool], number: int) -> str:
        refused = ngettext("%(number)s refused.", "%(number)s refused.", number)
        approved = ngettext("%(number)s approved.", "%(number)s approved.", number)
        return (refused if decide is JoinRequest.refuse else approved) % {"number": number}
