"""Who may see what: buildings, apartments, who lives in them and since when. One file per noun family."""

from accounts.models.access_record import AccessRecord
from accounts.models.building import DEFAULT_BUILDING, Apartment, Building, validate_timezone
from accounts.models.invitation import Invitation, invitation_expiry
from accounts.models.join_request import JoinRequest
from accounts.models.tenancy import Tenancy, open_tenancy, plausible_date
from accounts.models.user import User

__all__ = [
    "DEFAULT_BUILDING",
    "AccessRecord",
    "Apartment",
    "Building",
    "Invitation",
    "JoinRequest",
    "Tenancy",
    "User",
    "invitation_expiry",
    "open_tenancy",
    "plausible_date",
    "validate_timezone",
]
