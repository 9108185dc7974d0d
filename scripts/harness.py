"""What the kill -9 torture and the bench share: starting a server, its administration socket, enrolment, and a plain MQTT 5 device.

Written without any code of the server on purpose, with Python's standard library and the `openssl` program only: a second reading of
docs/protocol.md, so that a mistake made on both ends of the Rust code does not cancel out.
"""

import base64
import http.client
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import time
from pathlib import Path

# MDC codes used here; see crates/obhut-model/src/code.rs.
ECG_II = 131330
PLETH = 150452
HEART_RATE = 147842
SPO2 = 150456

QUOTA_EXCEEDED = 0x97
IMPLEMENTATION_SPECIFIC = 0x83

# Seconds in which a ledger that was down is back once there is room again; it asks at least every 15 s.
LEDGER_BACK = 60


class Failed(Exception):
    """What was promised did not happen."""


# ---------------------------------------------------------------- CBOR, as far as a frame needs it


def _head(major: int, n: int) -> bytes:
    if n < 24:
        return bytes([major << 5 | n])
    for more, size, form in ((24, 1, ">B"), (25, 2, ">H"), (26, 4, ">I"), (27, 8, ">Q")):
        if n < 1 << (8 * size):
            return bytes([major << 5 | more]) + struct.pack(form, n)
    raise ValueError(n)


def cbor(value) -> bytes:
    """Encodes None, int, float (single), bytes and lists."""
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, float):
        return b"\xfa" + struct.pack(">f", value)
    if isinstance(value, (bytes, bytearray)):
        return _head(2, len(value)) + bytes(value)
    return _head(4, len(value)) + b"".join(map(cbor, value))


def frame(run: int, number: int, base_us: int, numerics: list, waves: list) -> bytes:
    """numerics: (code, offset µs, mantissa, exponent); waves: (code, offset µs, rate µHz, gain, baseline, bytes)."""
    return cbor(
        [1, run, number, base_us, 0, [[c, o, m, e, 0] for c, o, m, e in numerics], [[c, o, r, float(g), b, 0, s] for c, o, r, g, b, s in waves]]
    )


# ---------------------------------------------------------------- the server


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float):
        super().__init__("obhut", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        # A socket's name holds 107 bytes at most; a data directory deep in a checkout is longer than that.
        here = os.open(self.path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            self.sock.connect(f"/proc/self/fd/{here}/{self.path.name}")
        finally:
            os.close(here)


class Server:
    """One `obhut serve` and its data directory; started and ended as often as wanted."""

    def __init__(self, obhut: Path, work: Path, charter: Path, data: Path | None = None, ports: tuple[int, int] = (0, 0)):
        self.obhut, self.work = obhut, work
        self.data = data or work / "data"
        self.log = work / "server.log"
        self.config = work / "obhut.toml"
        self.process: subprocess.Popen | None = None
        work.mkdir(parents=True, exist_ok=True)
        self.config.write_text(
            f'data = "{self.data}"\ncharter = "{charter.resolve()}"\nnames = ["localhost", "127.0.0.1"]\n\n'
            f'[listen]\nhttps = "127.0.0.1:{ports[0]}"\ngateway = "127.0.0.1:{ports[1]}"\n'
        )

    def spawn(self) -> int:
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.obhut, "serve", "--config", self.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self.process.pid

    def wait_ready(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            if self.process.poll() is not None:
                raise Failed(f"the server ended with status {self.process.returncode} before it was ready:\n{self.tail()}")
            try:
                if self.call("GET", "/readyz", raw=True)[0] == 200:
                    break
            except OSError:
                pass
            except http.client.HTTPException:
                pass
            if time.monotonic() > deadline:
                raise Failed(f"the server was not ready within {seconds:.0f} s:\n{self.tail()}")
            time.sleep(0.01)
        status = self.call("GET", "/v1/status")
        self.https, self.gateway = int(status["https"].rsplit(":", 1)[1]), int(status["gateway"].rsplit(":", 1)[1])

    def start(self) -> None:
        self.spawn()
        self.wait_ready()

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds: float = 30) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"the server did not stop within {seconds:.0f} s of SIGTERM:\n{self.tail()}") from None
        if status != 0:
            raise Failed(f"the server ended with status {status} after SIGTERM:\n{self.tail()}")

    def end(self) -> None:
        """Whatever happened, nothing of ours keeps running."""
        if self.process and self.process.poll() is None:
            self.kill()

    def tail(self, lines: int = 25) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def call(self, method: str, path: str, body=None, raw: bool = False, timeout: float = 60):
        connection = UnixConnection(self.data / "admin.sock", timeout)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if raw:
            return answer.status, text
        if answer.status >= 300:
            raise Failed(f"{method} {path}: {answer.status} {text.decode(errors='replace')}")
        return json.loads(text) if text else None

    def command(self, *arguments: str) -> str:
        """A call of the command line, as an operator would make it."""
        done = subprocess.run([self.obhut, "--config", self.config, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Failed(f"obhut {' '.join(arguments)}: status {done.returncode}\n{done.stderr}")
        return done.stdout

    def runs(self, subject: str, code: int):
        """What is stored, as the export sees it: one JSON object for each stretch.

        Nothing is read out while the ledger cannot say so; after a full disk it comes back by itself, and whoever asks asks again."""
        until = time.monotonic() + LEDGER_BACK
        while True:
            status, text = self.call("GET", f"/v1/readings/runs?subject={subject}&code={code}", raw=True, timeout=600)
            if status != 503 or b"ledger_unavailable" not in text or time.monotonic() > until:
                break
            time.sleep(0.5)
        if status != 200:
            raise Failed(f"reading back failed: {status} {text[:300]!r}")
        return [json.loads(line) for line in text.splitlines()]


# ---------------------------------------------------------------- enrolment (EST, RFC 7030)


def openssl(*arguments: str, data: bytes | None = None) -> bytes:
    done = subprocess.run(["openssl", *arguments], input=data, capture_output=True)
    if done.returncode != 0:
        raise Failed(f"openssl {arguments[0]}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def trust(server: Server, folder: Path) -> ssl.SSLContext:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "root.pem").write_text(server.call("GET", "/v1/ca")["root_pem"])
    context = ssl.create_default_context(cafile=folder / "root.pem")
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def certificates(pkcs7_base64: bytes) -> list[str]:
    text = openssl("pkcs7", "-inform", "DER", "-print_certs", data=base64.b64decode(pkcs7_base64)).decode()
    end = "-----END CERTIFICATE-----\n"
    return [part[part.index("-----BEGIN") :] + end for part in text.split(end) if "-----BEGIN" in part]


def self_signed(pem: str) -> bool:
    subject, issuer = openssl("x509", "-noout", "-subject", "-issuer", "-nameopt", "RFC2253", data=pem.encode()).decode().splitlines()[:2]
    return subject.split("=", 1)[1] == issuer.split("=", 1)[1]


def enrol(server: Server, invitation: dict, folder: Path) -> ssl.SSLContext:
    """Makes a key, asks for a certificate with the one-time token, and answers a context that shows it."""
    context = trust(server, folder)
    key, chain = folder / f"{invitation['id']}.key", folder / f"{invitation['id']}.pem"
    request = openssl(
        "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={invitation['id']}",
        "-keyout", str(key), "-outform", "DER",
    )  # fmt: skip
    connection = http.client.HTTPSConnection("localhost", server.https, context=context, timeout=30)
    login = base64.b64encode(f"{invitation['serial']}:{invitation['token']}".encode()).decode()
    headers = {"Content-Type": "application/pkcs10", "Content-Transfer-Encoding": "base64", "Authorization": f"Basic {login}"}
    connection.request("POST", "/.well-known/est/simpleenroll", base64.encodebytes(request), headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise Failed(f"enrolment of {invitation['id']}: {answer.status} {body[:300]!r}")
    # A certs-only answer is a set: ours is the one with our key.
    public = openssl("pkey", "-in", str(key), "-pubout").decode().strip()
    issued = sorted(certificates(body), key=lambda pem: openssl("x509", "-noout", "-pubkey", data=pem.encode()).decode().strip() != public)
    connection.request("GET", "/.well-known/est/cacerts")
    answer = connection.getresponse()
    above = certificates(answer.read())
    connection.close()
    chain.write_text("".join(dict.fromkeys(issued[:1] + [pem for pem in issued[1:] + above if not self_signed(pem)])))
    context.load_cert_chain(chain, key)
    return context


# ---------------------------------------------------------------- a device (MQTT 5)


def _varint(n: int) -> bytes:
    out = bytearray()
    while True:
        n, low = n >> 7, n & 0x7F
        out.append(low | (0x80 if n else 0))
        if not n:
            return bytes(out)


def _packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + _varint(len(body)) + body


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()


class Link:
    """One MQTT 5 connection with client certificate. Publishes QoS 1 and reports each acknowledgement's reason code."""

    def __init__(self, port: int, context: ssl.SSLContext, device: str, timeout: float = 10):
        self.topic = _text(f"obhut/{device}/frame")
        plain = socket.create_connection(("127.0.0.1", port), timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        self.buffer = bytearray()
        self.socket.sendall(_packet(0x10, _text("MQTT") + bytes([5, 2]) + struct.pack(">H", 60) + b"\x00" + _text(device)))
        kind, body = self._read_one(timeout)
        if kind != 2 or body[1] != 0:
            raise Failed(f"{device}: the server answered CONNECT with packet {kind}, {bytes(body[:3]).hex()}")
        self.window = 65535
        at, end = 3, 3 + body[2]
        sizes = {0x11: 4, 0x27: 4, 0x13: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x28: 1, 0x29: 1, 0x2A: 1}
        while at < end:
            name = body[at]
            if name == 0x21:
                (self.window,) = struct.unpack_from(">H", body, at + 1)
                at += 3
            elif name in sizes:
                at += 1 + sizes[name]
            else:
                at += 3 + struct.unpack_from(">H", body, at + 1)[0]

    def publish(self, packet_id: int, payload: bytes) -> None:
        self.socket.settimeout(10)
        self.socket.sendall(_packet(0x32, self.topic + struct.pack(">H", packet_id) + b"\x00" + payload))

    def acknowledged(self, seconds: float) -> list[tuple[int, int]]:
        """(packet id, reason code) of what has come in after waiting at most `seconds` for the first."""
        out = []
        while True:
            packet = self._split()
            if packet is None:
                if out or not self._fill(seconds):
                    return out
                continue
            kind, body = packet
            if kind == 4:
                out.append((struct.unpack_from(">H", body)[0], body[2] if len(body) > 2 else 0))
            elif kind == 14:
                raise ConnectionError(f"DISCONNECT {bytes(body).hex()}")

    def close(self) -> None:
        try:
            self.socket.close()
        except OSError:
            pass

    def _fill(self, seconds: float) -> bool:
        self.socket.settimeout(max(seconds, 0.001))
        try:
            data = self.socket.recv(65536)
        except (TimeoutError, ssl.SSLWantReadError):
            return False
        if not data:
            raise ConnectionError("closed by the server")
        self.buffer += data
        return True

    def _split(self):
        length, shift, at = 0, 0, 1
        while True:
            if at >= len(self.buffer):
                return None
            length |= (self.buffer[at] & 0x7F) << shift
            at += 1
            if not self.buffer[at - 1] & 0x80:
                break
            shift += 7
        if len(self.buffer) < at + length:
            return None
        kind, body = self.buffer[0] >> 4, self.buffer[at : at + length]
        del self.buffer[: at + length]
        return kind, body

    def _read_one(self, seconds: float):
        deadline = time.monotonic() + seconds
        while (packet := self._split()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError("no answer")
            self._fill(deadline - time.monotonic())
        return packet
