"""TLS as deploy/mosquitto.conf and docs/install.md have it, from a meter to a stored reading."""

import ssl

import pytest

from metering.tls import explain
from tests.deploy.shipped import Client, Refused, ShippedBroker, make_certificate, password_of, write_passwords
from tests.installation import Installation
from tests.waiting import wait_for

pytestmark = pytest.mark.sqlite

METER, LISTENER, NAME = "house/floor/101", "riser-listener", "riser-listener-8f3a61c0"
OWN = f"electricity/{METER}"
READING = '{"voltage": 230, "current": 2}'


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("certificates"), "DNS:localhost,IP:127.0.0.1")


@pytest.fixture
def start_broker(tmp_path):
    write_passwords(tmp_path / "riser.passwd", METER, LISTENER)
    running = []

    def start(certificate):
        running.append(ShippedBroker(tmp_path, tmp_path / "riser.passwd", certificate.parent))
        running[0].start()
        return running[0]

    yield start
    for broker in running:
        broker.stop()


@pytest.fixture
def make_house(tmp_path, templates):
    """An installation whose listener is on another machine than this broker."""
    made = []

    def make(broker, **more):
        login = {"MQTT_USERNAME": LISTENER, "MQTT_PASSWORD": password_of(LISTENER), "MQTT_CLIENT_ID": NAME}
        made.append(Installation(tmp_path, templates, broker.inner_tls_port, **login, **{"MQTT_TLS": "on", **more}))
        made[0].make_house("101")
        return made[0]

    yield make
    for installation in made:
        installation.__exit__(None, None, None)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_reading_goes_all_the_way(start_broker, make_house, certificate, host):
    broker = start_broker(certificate)
    house = make_house(broker, MQTT_BROKER=host, MQTT_CA_FILE=str(certificate))
    house.start_listener()
    with Client(broker.tls_port, METER, ca_file=str(certificate), host=host) as meter:
        meter.publish(OWN, READING)
    wait_for(house.readings, "the reading is stored")
    assert house.readings() == [("101", 460.0)]
    said = house.examine()
    assert f"{host}:{broker.inner_tls_port} answers" in said


def test_through_tls_a_meter_may_no_more_than_without(start_broker, certificate):
    broker = start_broker(certificate)
    with Client(broker.inner_tls_port, LISTENER, NAME, clean=False, ca_file=str(certificate)) as listener:
        listener.subscribe("electricity/+/floor/+")
    for login, password in ((None, None), (METER, "wrong")):
        with pytest.raises(Refused):
            Client(broker.tls_port, login, LISTENER, password=password, ca_file=str(certificate))
    with Client(broker.tls_port, METER, NAME, ca_file=str(certificate)) as meter:
        meter.publish("electricity/house/floor/201", "forged")
        meter.publish(OWN, "marker")
    with Client(broker.inner_tls_port, LISTENER, NAME, clean=False, ca_file=str(certificate)) as listener:
        listener.hears(OWN, "marker")
        assert listener.heard == [(OWN, "marker")]


def test_the_certificate_of_the_instructions_passes_the_strictest_check(start_broker, certificate, monkeypatch):
    # As Python 3.13 does it by itself.
    monkeypatch.setattr(ssl.SSLContext, "verify_flags", ssl.VerifyFlags.VERIFY_X509_STRICT, raising=True)
    broker = start_broker(certificate)
    context = ssl.create_default_context(cafile=certificate)
    assert context.verify_flags & ssl.VerifyFlags.VERIFY_X509_STRICT
    with Client(broker.tls_port, METER, ca_file=str(certificate)) as meter:
        assert meter.publish(OWN, READING) == "Success"


class TestRefused:
    """The listener stays away, goes on trying, and says once what to do."""

    @pytest.fixture
    def says(self, make_house):
        def says(broker, words, **settings):
            house = make_house(broker, **settings)
            listener = house.start("mqtt_listen")
            listener.wait_until_it_says("no connection to the broker")
            assert words in listener.said
            assert not listener.has_ended
            doctor = house.examine()
            line = next(line for line in doctor.splitlines() if "MEND broker" in line)
            assert all(part in doctor for part in words.split(": ")), line
            return listener.said

        return says

    def test_a_stranger(self, tmp_path, start_broker, certificate, says):
        other = make_certificate(tmp_path / "other", "DNS:localhost,IP:127.0.0.1")
        said = says(start_broker(certificate), "Set MQTT_CA_FILE to the certificate of the authority",
                    MQTT_CA_FILE=str(other))  # fmt: skip
        assert "its certificate is not to be trusted, self-signed certificate" in said

    def test_one_whose_authority_is_not_known_here(self, start_broker, certificate, says):
        says(start_broker(certificate), "Set MQTT_CA_FILE to the certificate of the authority")

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_one_of_another_name(self, tmp_path, start_broker, says, host):
        other = make_certificate(tmp_path / "other", "DNS:riser.example.org,IP:192.0.2.10")
        says(
            start_broker(other),
            f"its certificate is not for {host}: Set MQTT_BROKER to a name that stands in the certificate",
            MQTT_BROKER=host,
            MQTT_CA_FILE=str(other),
        )

    def test_a_port_without_tls(self, start_broker, certificate, says):
        broker = start_broker(certificate)
        broker.inner_tls_port = broker.inner_port
        says(broker, "Correct MQTT_PORT", MQTT_CA_FILE=str(certificate))


@pytest.mark.parametrize(
    ("code", "trouble", "remedy"),
    [(10, "has expired", "Renew the broker's certificate."), (9, "is not valid yet", "Correct this machine's clock")],
)
def test_a_certificate_out_of_time(code, trouble, remedy):
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, ""
    said = explain(error, "riser.example.org")
    assert trouble in said[0]
    assert said[1].startswith(remedy)


def test_without_tls_on_a_port_that_wants_it(start_broker, make_house, certificate):
    listener = make_house(start_broker(certificate), MQTT_TLS="off").start("mqtt_listen")
    listener.wait_until_it_says("no connection to the broker")
    assert "before it answered: does this port want TLS? See MQTT_TLS" in listener.said


@pytest.mark.parametrize(("content", "words"), [(None, "No such file"), ("no certificate", "no certificate or crl")])
def test_a_file_that_is_no_authority_is_found_at_the_start(start_broker, make_house, certificate, content, words):
    house = make_house(start_broker(certificate))
    file = house.folder / "authority.crt"
    if content:
        file.write_text(content)
    listener = house.start("mqtt_listen", MQTT_CA_FILE=str(file))
    assert listener.wait(30) == 1
    assert f"MQTT_CA_FILE={file} cannot be used" in listener.said
    assert words.lower() in listener.said.lower().replace("_", " ")
    assert "It must be a file in PEM format" in listener.said
    assert "Traceback" not in listener.said
