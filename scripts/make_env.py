"""Prints a .env for trying Riser out, with secrets of its own."""

import secrets

print(f"""# For trying Riser out. .env.example explains these and all other settings.
DEBUG=on
SECRET_KEY={secrets.token_urlsafe(48)}
# The embedded broker lets the listener in with this login.
MQTT_USERNAME=riser-listener
MQTT_PASSWORD={secrets.token_urlsafe(24)}
# The demo's past is fourteen days long.
READING_RETENTION_DAYS=15""")
