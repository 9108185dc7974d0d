"""The servers that are measured: Obhut, mosquitto, and mosquitto with a consumer and PostgreSQL behind it. Each is started in a folder of its
own, told apart by its process id, and ended by it."""

import glob
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from harness import Failed, Server  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
MODEL = "bench"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_seconds(pid: int) -> float:
    """CPU of a process, of its living children, and of those it has outlived."""
    total, todo = 0, [pid]
    while todo:
        p = todo.pop()
        try:
            fields = Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()
            total += sum(int(x) for x in (fields[11:15] if p == pid else fields[11:13]))
            todo += [int(x) for x in Path(f"/proc/{p}/task/{p}/children").read_text().split()]
        except OSError:
            pass
    return total / TICK


def machine_busy() -> float:
    fields = [int(x) for x in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICK


QUIET_SECONDS = 20.0


def wait_quiet(cores: float = 0.25):
    """Waits until other work uses little, but not for ever."""
    deadline = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < deadline:
        before = machine_busy()
        time.sleep(0.3)
        if (machine_busy() - before) / 0.3 < cores:
            return


def end(process: subprocess.Popen | None):
    if process and process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Loadgen:
    def __init__(self, binary: Path):
        self.binary = binary

    def run(self, *arguments, timeout: float = 300) -> dict:
        done = subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
        lines = done.stdout.strip().splitlines()
        if done.returncode != 0 or not lines:
            raise Failed(f"loadgen {arguments[0]}: status {done.returncode} {lines[-1] if lines else ''} {done.stderr[-500:]}")
        return json.loads(lines[-1])


class Obhut:
    """A server with enrolled devices; the first so many stand at beds with patients in them."""

    name = "obhut"

    def __init__(self, obhut: Path, work: Path, charter: Path, loadgen: Loadgen):
        self.server = Server(obhut, work, charter, ports=(free_port(), free_port()))
        self.work, self.loadgen, self.tls = work, loadgen, work / "tls"
        self.subjects: list[str] = []

    def open(self, devices: int, beds: int):
        self.server.start()
        self.tls.mkdir()
        (self.work / "root.pem").write_text(self.server.call("GET", "/v1/ca")["root_pem"])
        wanted = [{"id": f"lg-{i:06}", "model": MODEL, "serial": f"LG-{i:06}"} for i in range(devices)]
        (self.work / "invitations.json").write_text(json.dumps(self.server.call("POST", "/v1/devices", {"devices": wanted}, timeout=600)))
        print(f"    {self.loadgen.run('enrol', '--https', f'127.0.0.1:{self.server.https}', '--root', self.work / 'root.pem', '--invitations', self.work / 'invitations.json', '--out', self.tls, timeout=900)}", flush=True)  # fmt: skip
        names = [row["id"] for row in self.server.call("GET", "/v1/beds")["beds"]]
        if len(names) < beds:
            raise Failed(f"the charter declares {len(names)} beds, {beds} are needed")
        # Bound long enough ago for a backlog of half an hour.
        begin = time.time_ns() // 1000 - 2 * 3_600_000_000
        for i, bed in enumerate(names[:beds]):
            person = {"name": f"Bench Patient {i}", "birth_date": "1950-01-31", "record_number": f"B-{i:06}"}
            self.subjects.append(self.server.call("PUT", f"/v1/beds/{bed}/patient", {**person, "from": begin})["subject"])
            self.server.call("PUT", f"/v1/devices/lg-{i:06}/bed", {"bed": bed, "from": begin})

    @property
    def pid(self) -> int:
        return self.server.process.pid

    def target(self) -> list:
        return ["--addr", f"127.0.0.1:{self.server.gateway}", "--tls-dir", self.tls, "--cert", "each", "--server-pid", self.pid]

    topic = "obhut/{prefix}-{client}/senml"

    def disk_bytes(self) -> dict[str, int]:
        """Bytes below the data directory: segments (sealed chunks), journal, and the rest (databases, keys, certificates)."""
        found = {"segments": 0, "journal": 0, "rest": 0}
        for folder, _, files in os.walk(self.server.data):
            parts = Path(folder).relative_to(self.server.data).parts
            kind = next((part for part in parts if part in found), "rest")
            found[kind] += sum((Path(folder) / file).stat().st_size for file in files)
        return found

    def close(self):
        self.server.end()


class Mosquitto:
    name = "mosquitto"

    def __init__(self, work: Path, loadgen: Loadgen, clients: int):
        self.work, self.port, self.process, self.tls = work, free_port(), None, work / "tls"
        work.mkdir(parents=True, exist_ok=True)
        subprocess.run([loadgen.binary, "certs", "--out", self.tls, "--clients", str(clients)], check=True)
        (work / "mosquitto.conf").write_text(
            f"""per_listener_settings false
listener {self.port} 127.0.0.1
cafile {self.tls}/ca.pem
certfile {self.tls}/server.pem
keyfile {self.tls}/server.key
require_certificate true
use_identity_as_username true
tls_version tlsv1.3
allow_anonymous false
max_inflight_messages 2000
max_queued_messages 1000000
persistence false
log_dest file {work}/mosquitto.log
log_type error
log_type warning
{"user root" if os.geteuid() == 0 else ""}
"""
        )

    def start(self):
        program = "/usr/sbin/mosquitto" if os.path.exists("/usr/sbin/mosquitto") else "mosquitto"
        self.process = subprocess.Popen([program, "-c", self.work / "mosquitto.conf"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        raise Failed(f"mosquitto did not start: see {self.work}/mosquitto.log")

    @property
    def pid(self) -> int:
        return self.process.pid

    def target(self) -> list:
        return ["--addr", f"127.0.0.1:{self.port}", "--tls-dir", self.tls, "--cert", "each", "--server-pid", self.pid]

    topic = "bench/{client}/v"

    def close(self):
        end(self.process)


class Postgres:
    """A cluster of its own, durable commits on, tuned as one would for this."""

    def __init__(self, work: Path):
        self.work, self.port, self.process = work, free_port(), None
        self.bin = Path(sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1])
        work.mkdir(parents=True, exist_ok=True)
        self.as_user = []
        if os.geteuid() == 0:
            self.as_user = ["runuser", "-u", "postgres", "--"]
            os.chown(work, pwd.getpwnam("postgres").pw_uid, -1)

    def start(self):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL, "cwd": self.work}
        subprocess.run([*self.as_user, self.bin / "initdb", "-D", self.work / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8"], check=True, **quiet)
        settings = {
            "listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.work, "shared_buffers": "512MB",
            "max_wal_size": "4GB", "checkpoint_timeout": "15min", "synchronous_commit": "on", "fsync": "on",
        }  # fmt: skip
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.process = subprocess.Popen([*self.as_user, self.bin / "postgres", "-D", self.work / "data", *options], **quiet)
        deadline = time.monotonic() + 30
        while subprocess.run([self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"PostgreSQL did not start in {self.work}")
            time.sleep(0.1)
        self.sql("create database bench", "postgres")
        self.sql("create table readings(ts timestamptz, dev text, seq bigint, hr int, spo2 int, rr int, sys int, dia int)")
        self.sql("create table readings_enc(ts timestamptz, dev text, body bytea)")

    @property
    def pid(self) -> int:
        """The server itself; the process started may be the one that changes the user."""
        return int((self.work / "data" / "postmaster.pid").read_text().split()[0])

    def sql(self, text: str, database: str = "bench") -> str:
        command = [self.bin / "psql", "-qAt", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database, "-c", text]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def connection(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=bench"

    def close(self):
        if self.process and self.process.poll() is None:
            try:
                os.kill(self.pid, signal.SIGINT)
                self.process.wait(20)
            except (OSError, subprocess.TimeoutExpired):
                end(self.process)
