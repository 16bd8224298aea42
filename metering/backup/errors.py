"""What went wrong with a copy, in words."""


class BackupError(Exception):
    """It could not be done; the text says why and what to do. Nothing was changed."""
