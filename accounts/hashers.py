"""Password hashing for a small box in a basement."""

import os
from concurrent.futures import ThreadPoolExecutor

from django.contrib.auth.hashers import Argon2PasswordHasher

HASHING = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="hashing")
"""More hashes at the same time than there are cores make nobody faster, and each thread keeps its memory."""


class SmallMachineArgon2Hasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB and two passes: OWASP's minimum (Password Storage Cheat Sheet).

    Django's default takes 100 MiB for each log-in, which a few simultaneous ones turn into an
    out-of-memory kill on a machine with 1 GB. Here it is 19 MiB for each core, however many log in
    at the same moment: `benchmarks/logins.py`.
    """

    memory_cost = 19 * 1024
    time_cost = 2
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        return HASHING.submit(super().encode, password, salt).result()

    def verify(self, password: str, encoded: str) -> bool:
        return HASHING.submit(super().verify, password, encoded).result()
