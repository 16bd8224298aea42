"""Riser's settings with what a password costs by Django's default: the peer of benchmarks/logins.py."""

from config.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
