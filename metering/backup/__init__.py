"""Copies of the database, made while Riser runs, and the way back to one."""

from metering.backup.copies import back_up
from metering.backup.errors import BackupError
from metering.backup.restoring import check_nobody_listens, examine, keep_present, restore

__all__ = ["BackupError", "back_up", "check_nobody_listens", "examine", "keep_present", "restore"]
