"""Password hashing for a small box in a basement."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class SmallMachineArgon2Hasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB and two passes: OWASP's minimum (Password Storage Cheat Sheet).

    Django's default takes 100 MiB for each log-in, which a few simultaneous ones turn into an
    out-of-memory kill on a machine with 1 GB.
    """

    memory_cost = 19 * 1024
    time_cost = 2
    parallelism = 1
