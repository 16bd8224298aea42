"""doctor: what it says of an installation, mostly of a real broker."""

import contextlib
import datetime as dt
import sqlite3
import subprocess
import sys

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from metering import canary
from metering.doctor import clock
from metering.doctor.broker import check_canary, check_name
from metering.doctor.database import check_database
from metering.doctor.web import check_static_files
from metering.ingest.listener import build_client
from tests.broker import Broker, find
from tests.factories import BuildingFactory, ListenerStateFactory, ReadingFactory
from tests.installation import PROJECT, Installation
from tests.waiting import wait_for

LOGINS = {"riser-listener": "heard", "riser-doctor": "well", "house/floor/101": "meter"}
TOPIC = "electricity/house/floor/101"


def secured(folder, acl=None, *more):
    """A broker with deploy's rights and limits."""
    passwords, rights = folder / "riser.passwd", folder / "riser.acl"
    passwords.touch(mode=0o600)
    for login, password in LOGINS.items():
        tool = find("mosquitto_passwd", "mosquitto")
        subprocess.run([tool, "-b", passwords, login, password], check=True, capture_output=True)
    rights.write_text(acl or (PROJECT / "deploy/mosquitto.acl").read_text())
    rights.chmod(0o600)
    lines = (PROJECT / "deploy/mosquitto.conf").read_text().splitlines()
    kept = [line for line in lines if line.startswith(("max_", "use_username_as_clientid", "allow_anonymous"))]
    return Broker(folder, *kept, f"password_file {passwords}", f"acl_file {rights}", *more)


@pytest.fixture
def deployed(tmp_path):
    with secured(tmp_path) as running:
        yield running


@pytest.fixture
def look(settings, db):
    """What the doctor says of a broker, by subject; with this login."""

    def look(broker, username="riser-doctor", password=None):
        settings.MQTT_BROKER, settings.MQTT_PORT = "127.0.0.1", broker.port
        settings.MQTT_USERNAME = settings.MQTT_CLIENT_ID = "riser-listener"
        settings.MQTT_DOCTOR_USERNAME = username
        settings.MQTT_DOCTOR_PASSWORD = LOGINS.get(username, "") if password is None else password
        return {finding.subject.partition(", ")[2]: finding for finding in check_canary()}

    return look


IN_FLIGHT, KEPT = "messages in flight", "messages kept for a listener that is away"


@pytest.mark.sqlite
class TestLimits:
    def test_as_shipped_with_riser_they_are_well(self, deployed, look):
        found = look(deployed)
        assert [finding.remedy for finding in found.values()] == ["", "", ""]
        assert (found[IN_FLIGHT].state, found[KEPT].state) == ("5000", "8000 or more")

    @pytest.mark.parametrize(
        ("in_flight", "queued", "remedies"),
        [
            (20, 1000, ("Set max_inflight_messages", "Raise max_queued_messages")),
            (20, 200_000, ("Set max_inflight_messages", "")),
            (1000, 1000, ("", "Raise max_queued_messages")),
            (1000, 200_000, ("", "")),
        ],
    )
    def test_each_is_named(self, tmp_path, look, in_flight, queued, remedies):
        extra = f"max_inflight_messages {in_flight}", f"max_queued_messages {queued}"
        with Broker(tmp_path, "allow_anonymous true", *extra) as broker:
            found = look(broker, "")
        assert found[IN_FLIGHT].state == str(in_flight)
        for subject, remedy in zip((IN_FLIGHT, KEPT), remedies, strict=True):
            assert found[subject].remedy.startswith(remedy), found
            assert bool(found[subject].remedy) == bool(remedy)

    def test_the_defaults_of_mosquitto_through_a_login_of_its_own(self, tmp_path, look):
        with secured(tmp_path, None, "max_inflight_messages 20", "max_queued_messages 1000") as broker:
            found = look(broker)
        assert found[IN_FLIGHT].remedy.startswith("Set max_inflight_messages")
        assert found[KEPT].state == "1020 of 3040"
        assert found[KEPT].remedy.startswith("Raise max_queued_messages")

    def test_the_broker_of_make_run_is_for_trying_out(self, installation, look, tmp_path, settings):
        settings.DEBUG = True
        port = Broker(tmp_path)
        broker = installation.start("mqtt_broker", MQTT_PORT=str(port.port), MQTT_USERNAME="riser-listener",
                                    MQTT_PASSWORD=LOGINS["riser-listener"])  # fmt: skip
        broker.wait_until_it_says("MQTT broker on")
        found = look(port, "riser-listener")
        assert [finding.remedy for finding in found.values()] == ["", "", ""]
        assert "not for real meters" in found[KEPT].state

    def test_no_session_of_the_doctor_stays_behind(self, tmp_path, look):
        with Broker(tmp_path, "allow_anonymous true", "max_inflight_messages 100") as broker:
            look(broker, "")
        assert b"riser-doctor" not in (tmp_path / "mosquitto.db").read_bytes()


@pytest.mark.sqlite
class TestLogin:
    def test_a_wrong_password(self, deployed, look):
        (found,) = look(deployed, password="wrong").values()
        assert found.state == "Not authorized"
        assert found.remedy.startswith("Correct MQTT_USERNAME and MQTT_PASSWORD")

    def test_a_missing_line_of_the_acl_is_named(self, tmp_path, look):
        acl = (PROJECT / "deploy/mosquitto.acl").read_text().partition("user riser-doctor")[0]
        with secured(tmp_path, acl) as broker:
            found = look(broker)
        assert found["rights"].state == "none of 1000 messages to riser/doctor/ came back"
        assert "`user riser-doctor`, `topic readwrite riser/doctor/#`" in found["rights"].remedy

    def test_what_a_killed_doctor_left_is_no_hindrance(self, deployed, look):
        account = canary.Account("127.0.0.1", deployed.port, "riser-doctor", LOGINS["riser-doctor"], None)
        with canary.Connection(account, "killed", "killed") as connection:
            connection.subscribe()
            connection.publish(3000)
        found = look(deployed)
        assert [finding.remedy for finding in found.values()] == ["", "", ""]

    def test_a_login_of_another_listener_is_not_its_own(self, deployed, look):
        ListenerStateFactory(name="riser-doctor")
        assert "a login of its own" in look(deployed)["login riser-doctor"].remedy


@pytest.mark.parametrize(
    ("name", "is_well"),
    [("riser-listener", False), ("riser-listener-2", False), ("", False), ("riser-listener-12345678", True)],
)
def test_a_name_of_the_listener_that_anybody_can_guess(settings, name, is_well):
    settings.MQTT_CLIENT_ID = name
    found = check_name()
    assert (found.remedy == "") == is_well
    assert is_well or name in found.state


class TestWithTheListenersLogin:
    """To a broker that names clients after their logins, the doctor is the listener then."""

    @pytest.fixture
    def house(self, tmp_path, templates, deployed):
        login = {"MQTT_USERNAME": "riser-listener", "MQTT_PASSWORD": LOGINS["riser-listener"]}
        with Installation(tmp_path, templates, deployed.port, **login, MQTT_CLIENT_ID="riser-listener") as made:
            made.make_house("101")
            yield made

    @pytest.fixture
    def publish(self, deployed):
        def publish(*voltages):
            for voltage in voltages:
                message = f'{{"voltage": {voltage}, "current": 1}}'
                deployed.publish(TOPIC, message, "-u", "house/floor/101", "-P", LOGINS["house/floor/101"])

        return publish

    def examine(self, house):
        command = [sys.executable, "manage.py", "doctor"]
        said = subprocess.run(command, cwd=PROJECT, env=house.env, capture_output=True, text=True, timeout=60).stdout
        assert "MEND broker, login riser-listener: limits not examined" in said
        assert "MQTT_DOCTOR_USERNAME" in said

    def powers(self, house):
        return [power for _, power in house.readings()]

    def test_what_waits_for_an_absent_listener_stays(self, house, publish):
        house.start_listener().end()
        publish(1, 2, 3)
        self.examine(house)
        publish(4)
        self.examine(house)
        house.start_listener()
        wait_for(lambda: len(house.readings()) >= 4, "all four")
        publish(5)
        wait_for(lambda: len(house.readings()) >= 5, "all five")
        assert self.powers(house) == [1, 2, 3, 4, 5]

    def test_a_running_listener_comes_back(self, house, publish):
        house.start_listener()
        doctors = [house.start("doctor") for _ in range(2)]
        publish(*range(1, 30))
        for doctor in doctors:
            assert doctor.wait(60) == 1
        publish(30)
        wait_for(lambda: len(house.readings()) >= 30, "all thirty", timeout=40)
        assert sorted(self.powers(house)) == list(range(1, 31))

    def test_before_the_listener_ever_ran(self, house, publish):
        self.examine(house)
        house.start_listener().end()
        publish(1, 2)
        self.examine(house)
        house.start_listener()
        wait_for(lambda: len(house.readings()) >= 2, "both")
        assert house.query("SELECT count(*) FROM metering_rejectedmessage") == [(0,)]

    def test_a_listener_that_begins_meanwhile(self, deployed, house, publish, look, monkeypatch):
        begun = []

        class Slow(canary.Connection):
            def __exit__(self, *error):
                super().__exit__(*error)
                if not begun:
                    begun.append(house.start_listener())
                    begun[0].end()
                    publish(1, 2)

        monkeypatch.setattr(canary, "Connection", Slow)
        assert "limits not examined" in look(deployed, "riser-listener")["login riser-listener"].state
        house.start_listener()
        wait_for(lambda: len(house.readings()) >= 2, "both")
        assert self.powers(house) == [1, 2]

    def test_where_clients_name_themselves_it_may_look(self, tmp_path, look):
        with secured(tmp_path, None, "use_username_as_clientid false") as broker:
            ours = build_client("riser-listener", "riser-listener", LOGINS["riser-listener"], None)
            ours.connect("127.0.0.1", broker.port)
            found = look(broker, "riser-listener")
        assert "`user riser-listener`, `topic readwrite riser/doctor/#`" in found["rights"].remedy


class TestDatabase:
    def test_one_that_cannot_be_written_to(self, transactional_db):
        assert check_database().remedy == ""
        on, off = {
            "sqlite": ("PRAGMA query_only=ON", "PRAGMA query_only=OFF"),
            "postgresql": ("SET default_transaction_read_only=on", "SET default_transaction_read_only=off"),
        }[connection.vendor]
        with connection.cursor() as cursor:
            cursor.execute(on)
            found = check_database()
            cursor.execute(off)
        assert "read" in found.state
        assert "may write there" in found.remedy

    @pytest.mark.sqlite
    def test_a_reader_that_keeps_the_log_from_being_written_back(self, installation):
        script = (
            "import django; django.setup(); from metering.doctor import database;"
            "database.WAL_BYTES = 100_000; print(*database.check_sqlite(), sep='\\n')"
        )

        def look():
            env = installation.env | {"DJANGO_SETTINGS_MODULE": "config.settings"}
            result = subprocess.run(
                [sys.executable, "-c", script], cwd=PROJECT, env=env, capture_output=True, text=True
            )
            return next(line for line in result.stdout.splitlines() if "write-ahead log" in line)

        with (
            contextlib.closing(sqlite3.connect(installation.database.file, isolation_level=None)) as writer,
            contextlib.closing(sqlite3.connect(installation.database.file, isolation_level=None)) as reader,
        ):
            assert "remedy=''" in look()
            writer.execute("CREATE TABLE big (content)")
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM big").fetchall()
            writer.execute("INSERT INTO big VALUES (randomblob(1000000))")
            assert "cannot be written back" in look()
            assert "fuser -v" in look()
            reader.execute("COMMIT")
            assert "remedy=''" in look()


class TestClock:
    @pytest.mark.parametrize(
        ("kept", "meters", "words", "is_well"),
        [
            (True, False, "kept by a time service", True),
            (None, False, "cannot tell", True),
            (None, True, "agrees with the clocks of meters", True),
            (False, True, "agrees with the clocks of meters", True),
            (False, False, "may get a wrong time", False),
        ],
    )
    def test_what_is_said(self, kept, meters, words, is_well):
        found = clock.judge_clock(kept, meters)
        assert words in found.state
        assert (found.remedy == "") == is_well

    def test_linux_tells_without_any_rights(self):
        code = "from metering.doctor.clock import is_kept; print(is_kept())"
        code = f"import django; django.setup(); {code}"
        said = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
        assert said.stdout.strip() in {"True", "False"}, said.stderr

    @pytest.mark.parametrize(
        ("late", "ago", "agree"), [(2, 10, True), (-30, 10, True), (90, 10, False), (-90, 10, False), (0, 7200, False)]
    )
    def test_meters_with_clocks_of_their_own(self, db, late, ago, agree):
        received = timezone.now() - dt.timedelta(seconds=ago)
        ReadingFactory(received_at=None)
        ReadingFactory(taken_at=received - dt.timedelta(seconds=late), received_at=received)
        assert clock.meters_agree() == agree


def test_the_clock_of_a_postgresql_server(db):
    found = list(clock.check_clock())[1:]
    assert [finding.remedy for finding in found] == ([""] if connection.vendor == "postgresql" else [])


@pytest.mark.django_db
class TestTheWhole:
    def test_it_names_what_is_wrong_and_what_to_do(self, settings, capsys):
        settings.MQTT_PORT = 1
        BuildingFactory(slug="house")
        with pytest.raises(SystemExit) as ended:
            call_command("doctor")
        said = capsys.readouterr().out
        assert ended.value.code == 1
        assert "answers" in said
        assert "Start the broker, or correct MQTT_BROKER" in said
        assert "Start manage.py mqtt_listen" in said
        assert "building house: no reading yet" in said

    def test_missing_static_files_are_noticed(self, settings, tmp_path):
        settings.DEBUG, settings.STATIC_ROOT = False, tmp_path
        assert next(check_static_files()).remedy == "Run manage.py collectstatic."
        (tmp_path / "staticfiles.json").touch()
        assert next(check_static_files()).remedy == ""

    def test_a_house_that_is_well(self, installation, broker):
        installation.make_house("101")
        installation.start_listener()
        broker.publish(TOPIC, f'{{"voltage": 1, "current": 1, "timestamp": "{timezone.now().isoformat()}"}}')
        wait_for(installation.readings, "the reading")
        said = installation.manage("doctor")
        assert [line for line in said.splitlines() if not line.startswith("ok ")] == []
        assert len(said.splitlines()) >= 12
