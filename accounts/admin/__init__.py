"""The building manager's and the superuser's view of buildings, apartments and people. One file a noun."""

from accounts.admin import (
    access_records,
    apartments,
    buildings,
    invitations,
    join_requests,
    site,
    tenancies,
    users,
)

__all__ = ["access_records", "apartments", "buildings", "invitations", "join_requests", "site", "tenancies", "users"]
