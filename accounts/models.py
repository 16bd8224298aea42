"""Who may see what: buildings, apartments, who lives in them and since when."""

import datetime as dt
import hashlib
import secrets
import zoneinfo
from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.functional import cached_property

DEFAULT_BUILDING = "building"
INVITATION_LIFETIME = dt.timedelta(days=14)
LONGEST_INVITATION = dt.timedelta(days=365)
# Dates people live by; the calendar's own ends have no midnight in every time zone.
plausible_date = [MinValueValidator(dt.date(1970, 1, 2)), MaxValueValidator(dt.date(2999, 12, 31))]

# These names become levels of MQTT topics and logins at the broker, hence the narrow alphabet.
topic_level = RegexValidator(
    r"\A[A-Za-z0-9._-]{1,32}\Z", "Use at most 32 of: letters A to Z, digits, dot, underscore and hyphen."
)


def validate_timezone(name: str) -> None:
    """Raise ValidationError where there is no such IANA zone."""
    # Names such as "localtime" mean another zone on every machine.
    if name not in zoneinfo.available_timezones() or ("/" not in name and name != "UTC"):
        raise ValidationError("%(name)s is not a time zone. Use a name such as Europe/Berlin.", params={"name": name})


class UserManager(BaseUserManager["User"]):
    """Users by email; the address is kept in lower case, so it is unique whatever its case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        if not email:
            raise ValueError("A user needs an email address.")
        user = self.model(email=email.lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person who logs in: resident, manager of buildings, or superuser."""

    email = models.EmailField(unique=True, error_messages={"unique": "This email address has an account already."})
    is_active = models.BooleanField("active", default=True, help_text="Off: the account cannot log in.")
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        super().clean()
        self.email = self.email.lower()

    @cached_property
    def is_manager(self) -> bool:
        """Whether this user manages at least one building."""
        return self.is_superuser or self.managed_buildings.exists()

    @property
    def is_staff(self) -> bool:
        """Whether Django admin lets this user in."""
        return self.is_manager

    @cached_property
    def tenancy(self) -> "Tenancy | None":
        """The current tenancy, the newest where there are several; None without one."""
        return Tenancy.objects.of(self).current().first()

    @property
    def apartment(self) -> "Apartment | None":
        """The apartment of the current tenancy."""
        return self.tenancy.apartment if self.tenancy else None

    @property
    def floor(self) -> str | None:
        """The floor of the current apartment."""
        return self.apartment.floor if self.apartment else None


class BuildingQuerySet(models.QuerySet["Building"]):
    """Buildings."""

    def managed_by(self, user: User) -> Self:
        """The buildings this user manages: all of them for a superuser."""
        return self if user.is_superuser else self.filter(managers=user)


class Building(models.Model):
    """The outer tenant: its managers see it and no other."""

    slug = models.CharField(
        max_length=32,
        unique=True,
        validators=[topic_level],
        help_text="The building's name in MQTT topics: electricity/SLUG/floor/APARTMENT.",
    )
    name = models.CharField(max_length=100)
    timezone = models.CharField(
        "time zone",
        max_length=64,
        default="UTC",
        validators=[validate_timezone],
        help_text="IANA name, such as Europe/Berlin. Days begin at its midnight.",
    )
    currency = models.CharField(
        max_length=3, default="EUR", validators=[RegexValidator(r"\A[A-Z]{3}\Z", "Three capital letters, such as EUR.")]
    )
    managers = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="managed_buildings", blank=True)
    is_demo = models.BooleanField("demo", default=False, editable=False)

    objects = BuildingQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.timezone)

    def today(self) -> dt.date:
        """The local date now."""
        return timezone.now().astimezone(self.zone).date()

    def midnight(self, date: dt.date) -> dt.datetime:
        """The instant at which the local date begins."""
        return dt.datetime.combine(date, dt.time(), tzinfo=self.zone).astimezone(dt.UTC)


class Apartment(models.Model):
    """A flat with a meter of its own."""

    building = models.ForeignKey(Building, on_delete=models.PROTECT, related_name="apartments")
    number = models.CharField(max_length=32, validators=[topic_level])
    floor = models.CharField(max_length=32, validators=[topic_level])

    class Meta:
        ordering = ["building", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["building", "number"],
                name="apartment_number_once",
                violation_error_message="This building has an apartment with this number already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.building.slug}/{self.number}"


class TenancyQuerySet(models.QuerySet["Tenancy"]):
    """Tenancies."""

    def of(self, user: User) -> Self:
        """This user's own tenancies, past ones included, newest first."""
        return self.filter(residents=user).select_related("apartment__building").order_by("-moved_in", "-pk")

    def on(self, apartment: Apartment, date: dt.date) -> Self:
        """The tenancy of an apartment on a local date, if any."""
        return self.filter(apartment=apartment, moved_in__lte=date).filter(
            Q(moved_out__isnull=True) | Q(moved_out__gt=date)
        )

    def current(self) -> Self:
        """Tenancies that last today, each by the date of its own building."""
        dates = {pk: Building(timezone=name).today() for pk, name in Building.objects.values_list("pk", "timezone")}
        lasting = Q(pk__in=[])
        for date in set(dates.values()):
            buildings = [pk for pk, today in dates.items() if today == date]
            lasting |= Q(apartment__building__in=buildings, moved_in__lte=date) & (
                Q(moved_out__isnull=True) | Q(moved_out__gt=date)
            )
        return self.filter(lasting)


class Tenancy(models.Model):
    """A household in an apartment, from local midnight of moved_in to local midnight of moved_out."""

    apartment = models.ForeignKey(Apartment, on_delete=models.PROTECT, related_name="tenancies")
    moved_in = models.DateField(validators=plausible_date)
    moved_out = models.DateField(
        null=True,
        blank=True,
        validators=plausible_date,
        help_text="The first day on which the household no longer lives there.",
    )
    residents = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="tenancies", blank=True)

    objects = TenancyQuerySet.as_manager()

    class Meta:
        ordering = ["apartment", "-moved_in"]
        verbose_name_plural = "tenancies"
        constraints = [
            models.CheckConstraint(
                condition=Q(moved_out__isnull=True) | Q(moved_out__gt=F("moved_in")),
                name="tenancy_ends_after_it_begins",
                violation_error_message="A tenancy must end after the day it begins.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.apartment}, {self.moved_in} to {self.moved_out or 'today'}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic():
            # The lock makes two simultaneous saves for one apartment see each other.
            Apartment.objects.select_for_update().get(pk=self.apartment_id)
            self._refuse_overlap()
            super().save(*args, **kwargs)

    def clean(self) -> None:
        super().clean()
        if self.apartment_id and self.moved_in:
            self._refuse_overlap()

    def _refuse_overlap(self) -> None:
        others = Tenancy.objects.filter(apartment=self.apartment_id).exclude(pk=self.pk)
        if self.moved_out:
            others = others.filter(moved_in__lt=self.moved_out)
        clash = others.filter(Q(moved_out__isnull=True) | Q(moved_out__gt=self.moved_in)).first()
        if clash:
            raise ValidationError(
                f"Apartment {self.apartment.number} has a tenancy from {clash.moved_in} to "
                f"{clash.moved_out or 'today'} already. End that one first."
            )

    @property
    def has_ended(self) -> bool:
        """Whether the household has moved out by now."""
        return self.until is not None and self.until <= timezone.now()

    @property
    def since(self) -> dt.datetime:
        """The first instant this household may see."""
        return self.apartment.building.midnight(self.moved_in)

    @property
    def until(self) -> dt.datetime | None:
        """The first instant this household may no longer see; None while it lives there."""
        return self.apartment.building.midnight(self.moved_out) if self.moved_out else None


def open_tenancy(apartment: Apartment, moved_in: dt.date) -> Tenancy:
    """The tenancy that begins on that local date; the one before it ends there.

    Raises ValidationError where a later tenancy exists.
    """
    with transaction.atomic():
        Apartment.objects.select_for_update().get(pk=apartment.pk)
        same_day = Tenancy.objects.filter(apartment=apartment, moved_in=moved_in).first()
        if same_day:
            return same_day
        Tenancy.objects.on(apartment, moved_in).update(moved_out=moved_in)
        tenancy = Tenancy(apartment=apartment, moved_in=moved_in)
        tenancy.save()
        return tenancy


def hash_token(token: str) -> str:
    """What is stored of an invitation's token: it is random and long, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def invitation_expiry() -> dt.datetime:
    """When an invitation made now runs out."""
    return timezone.now() + INVITATION_LIFETIME


class InvitationQuerySet(models.QuerySet["Invitation"]):
    """Invitations."""

    def usable(self, token: str) -> "Invitation | None":
        """The invitation of this token; None where it is unknown, used, expired, or for a household that is gone."""
        rows = self.filter(token_hash=hash_token(token), used_at__isnull=True, expires_at__gt=timezone.now())
        invitation = rows.select_related("tenancy__apartment__building").first()
        return None if invitation is None or invitation.tenancy.has_ended else invitation


class Invitation(models.Model):
    """A link that makes its first user a resident of one tenancy."""

    tenancy = models.ForeignKey(Tenancy, on_delete=models.CASCADE, related_name="invitations")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    expires_at = models.DateTimeField(default=invitation_expiry)
    used_at = models.DateTimeField(null=True, editable=False)
    used_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"Invitation to {self.tenancy.apartment}"

    def clean(self) -> None:
        super().clean()
        if self.expires_at and not timezone.now() < self.expires_at < timezone.now() + LONGEST_INVITATION:
            raise ValidationError({"expires_at": "Choose a time between now and a year from now."})

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
            self.tenancy.residents.add(user)
        return True


class JoinRequest(models.Model):
    """Somebody registered for an apartment without an invitation; a manager decides."""

    class State(models.TextChoices):
        WAITING = "waiting"
        APPROVED = "approved"
        REFUSED = "refused"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="join_requests")
    apartment = models.ForeignKey(Apartment, on_delete=models.CASCADE, related_name="join_requests")
    created_at = models.DateTimeField(auto_now_add=True)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING, editable=False)
    decided_at = models.DateTimeField(null=True, editable=False)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "apartment"], condition=Q(state="waiting"), name="join_request_waits_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} for {self.apartment}"

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
                raise ValidationError("A household moved in today already. Do they belong to it? Then approve as such.")
            tenancy.residents.add(self.user)
        return True

    def refuse(self, manager: User) -> bool:
        """Refuse; the account stays and sees nothing."""
        return self._decide(self.State.REFUSED, manager)

    def _decide(self, state: "JoinRequest.State", manager: User) -> bool:
        """Claim the request in one statement: two managers deciding at once decide it once."""
        waiting = JoinRequest.objects.filter(pk=self.pk, state=self.State.WAITING)
        return bool(waiting.update(state=state, decided_at=timezone.now(), decided_by=manager))
