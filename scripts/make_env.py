"""Prints a .env for trying Riser out, with secrets of its own."""

import secrets

print(f"""# For trying Riser out. .env.example explains these and all other settings.
DEBUG=on
SECRET_KEY={secrets.token_urlsafe(48)}
# The embedded broker lets the listener in with this login.
MQTT_USERNAME=riser-listener
MQTT_PASSWORD={secrets.token_urlsafe(24)}
# Nobody else on this machine can guess it, and so take the listener's session.
MQTT_CLIENT_ID=riser-listener-{secrets.token_hex(4)}
# The demo's readings begin seven days ago.
READING_RETENTION_DAYS=8""")
