"""TLS to the broker: whom to trust, and what to do where that fails."""

import ssl

OTHER_NAME = "its certificate is not for {host}", "Set MQTT_BROKER to a name that stands in the certificate."
UNTRUSTED = {
    9: ("its certificate is not valid yet", "Correct this machine's clock, or the certificate."),
    10: ("its certificate has expired", "Renew the broker's certificate."),
    62: OTHER_NAME,
    64: OTHER_NAME,
}
"""By OpenSSL's codes: what is wrong with a certificate, and what to do about it."""
OTHERWISE = (
    "its certificate is not to be trusted, {reason}",
    "Set MQTT_CA_FILE to the certificate of the authority that signed the broker's.",
)


def trusting(ca_file: str) -> ssl.SSLContext:
    """Trusts the authority in this file; where the name is empty, those the system knows. Raises OSError."""
    return ssl.create_default_context(cafile=ca_file or None)


def explain(error: OSError, host: str) -> tuple[str, str]:
    """Why there is no connection to the broker, and what to do; the second is empty where the first says it all."""
    if isinstance(error, ssl.SSLCertVerificationError):
        trouble, remedy = UNTRUSTED.get(error.verify_code, OTHERWISE)
        return trouble.format(host=host, reason=error.verify_message), remedy
    if isinstance(error, ssl.SSLError):
        return f"it does not speak TLS there, {error.reason}", "Correct MQTT_PORT, or set MQTT_TLS=off."
    if isinstance(error, ConnectionResetError):
        return "it ends the connection at once", "Does it want TLS there or not? Correct MQTT_PORT or MQTT_TLS."
    return str(error), ""
