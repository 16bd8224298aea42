"""Accounts: who logs in."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts.models.building import Apartment
from accounts.models.history import PersonHistory
from accounts.models.tenancy import Tenancy
from accounts.text import refuse_hidden_in


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

    email = models.EmailField(
        _("email address"), unique=True, error_messages={"unique": _("This email address has an account already.")}
    )
    is_active = models.BooleanField(_("active"), default=True, help_text=_("Off: the account cannot log in."))
    date_joined = models.DateTimeField(_("date joined"), default=timezone.now, editable=False)
    sessions_ended_at = models.DateTimeField(null=True, editable=False)
    # Empty: as the browser asks for. No choices: a new language is no new migration.
    language = models.CharField(max_length=16, blank=True, editable=False)

    objects = UserManager()
    history = PersonHistory(excluded_fields=["password", "last_login", "date_joined", "sessions_ended_at", "language"])

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        super().clean()
        refuse_hidden_in(self, "email")
        self.email = self.email.lower()

    def end_sessions(self) -> None:
        """Log this account out everywhere; a page that stays open notices at its next heartbeat."""
        self.sessions_ended_at = timezone.now()
        self.save(update_fields=["sessions_ended_at"])

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # Every session carries this. Django calls it for SECRET_KEY and for each of SECRET_KEY_FALLBACKS.
        value = f"{self.password} {self.sessions_ended_at.isoformat() if self.sessions_ended_at else ''}"
        return salted_hmac("accounts.User.session", value, secret=secret, algorithm="sha256").hexdigest()

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
