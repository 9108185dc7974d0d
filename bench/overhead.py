#!/usr/bin/env python3
"""What decisions and records cost: the live stream and the export with permits and ledger, beside the same program on the same data without them.

The program must be built with the feature `test-bypass`; the environment then says which of the two it is. A release has no such feature."""

import argparse
import json
import os
import shutil
import socket
import ssl
import struct
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

# `side` says where `harness` lies.
from side import MODEL, ROOT, Failed, Loadgen, Obhut, cpu_seconds
import harness  # noqa: I001

MODES = {"with": "0", "without": "1"}
OVERHEAD_MAX = 1.10


class Page:
    """A ward page on the live stream: reads what comes and counts it."""

    def __init__(self, obhut: Obhut, name: str):
        server = obhut.server
        wall = {"name": name, "kind": "staff", "roles": [{"role": "wall"}]}
        token = server.call("POST", "/api/v1/people", wall)["link"].split("#enter=")[1]
        origin = f"https://localhost:{server.https}"
        context = ssl.create_default_context(cafile=str(obhut.work / "root.pem"))
        body = json.dumps({"token": token}).encode()
        with self.connect(context, server.https) as wire:
            head = f"POST /api/v1/session/link HTTP/1.1\r\nHost: localhost:{server.https}\r\nOrigin: {origin}\r\nUser-Agent: Page\r\n"
            wire.sendall(f"{head}Content-Type: application/json\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            answer = b"".join(iter(lambda: wire.recv(65536), b"")).decode(errors="replace")
        cookies = [line.split(": ", 1)[1].split(";")[0] for line in answer.split("\r\n") if line.lower().startswith("set-cookie: ")]
        if not cookies:
            raise Failed(f"no session: {answer[:200]}")
        self.wire = self.connect(context, server.https)
        head = f"GET /api/v1/live HTTP/1.1\r\nHost: localhost:{server.https}\r\nOrigin: {origin}\r\nUser-Agent: Page\r\nCookie: {cookies[0]}\r\n"
        self.wire.sendall(f"{head}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
        first = self.wire.recv(65536)
        if b" 101 " not in first.split(b"\r\n")[0]:
            raise Failed(f"no stream: {first[:200]!r}")
        self.bytes = 0
        threading.Thread(target=self.read, daemon=True).start()

    @staticmethod
    def connect(context: ssl.SSLContext, port: int) -> ssl.SSLSocket:
        return context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")

    def read(self):
        try:
            while got := self.wire.recv(1 << 18):
                self.bytes += len(got)
        except OSError:
            pass


class Overhead:
    def __init__(self, options, work: Path):
        self.options, self.obhut = options, Obhut(options.obhut, work / "obhut", options.charter, Loadgen(options.loadgen))
        self.live: dict[str, list[float]] = {mode: [] for mode in MODES}
        self.exports: dict[str, list[tuple[float, float]]] = {mode: [] for mode in MODES}
        self.short: dict[str, list[float]] = {mode: [] for mode in MODES}
        self.courses: list[str] = []

    def become(self, mode: str):
        os.environ["OBHUT_DANGER_BYPASS"] = MODES[mode]
        if self.obhut.server.process:
            self.obhut.server.stop()
        self.obhut.server.start()
        # Says so itself, the first time it is asked for anything.
        self.obhut.server.call("GET", "/v1/devices")
        bypassed = "DANGER" in self.obhut.server.tail(3)
        if bypassed != (mode == "without"):
            raise Failed("the program was not built with the feature `test-bypass`, or does not do what it is told")

    def watch(self, mode: str):
        """CPU of the server for each megabyte that pages got, while beds stream."""
        pages = [Page(self.obhut, f"Page {i}") for i in range(self.options.pages)]
        time.sleep(1)
        before, bytes_before = cpu_seconds(self.obhut.pid), sum(page.bytes for page in pages)
        done = self.obhut.loadgen.run("wave", *self.obhut.target(), "--beds", self.options.beds, "--duration", self.options.secs, "--client-prefix", "lg", "--topic", "obhut/{prefix}-{client}/frame")  # fmt: skip
        cpu, got = cpu_seconds(self.obhut.pid) - before, sum(page.bytes for page in pages) - bytes_before
        if got == 0 or done.get("nacked") or done.get("lost"):
            raise Failed(f"the pages got {got} bytes: {done}")
        self.live[mode].append(cpu / (got / 1e6))
        print(f"    {mode:8} live: {cpu:.2f} s CPU for {got / 1e6:.1f} MB on {len(pages)} pages: {cpu / (got / 1e6) * 1e3:.1f} ms/MB", flush=True)

    def course(self, number: int) -> str:
        """A patient with hours of ECG, pleth, heart rate and SpO2, sent as a device sends what it had to keep. Gives the pseudonym."""
        server, device = self.obhut.server, f"course-{number}"
        invited = server.call("POST", "/v1/devices", {"devices": [{"id": device, "model": MODEL, "serial": f"C-{number:04}"}]})
        context = harness.enrol(server, invited["devices"][0], self.obhut.work)
        bed = server.call("GET", "/v1/beds")["beds"][self.options.beds + number]["id"]
        seconds = int(self.options.hours * 3600)
        begin = time.time_ns() // 1000 - (seconds + 600) * 1_000_000
        person = {"name": f"Course {number}", "birth_date": "1950-01-31", "record_number": f"C-{number:04}", "from": begin}
        subject = server.call("PUT", f"/v1/beds/{bed}/patient", person)["subject"]
        server.call("PUT", f"/v1/devices/{device}/bed", {"bed": bed, "from": begin})
        link, free, sent, taken = harness.Link(server.gateway, context, device), list(range(1, 17)), 0, 0
        while taken < seconds:
            while free and sent < seconds:
                wave = lambda hertz: struct.pack(f"<{hertz}h", *((sent * 37 + i * i) % 1999 - 1000 for i in range(hertz)))  # noqa: B023, E731
                numerics = [(harness.HEART_RATE, 0, 60 + sent % 40, 0), (harness.SPO2, 0, 90 + sent % 10, 0)]
                waves = [(code, 0, hertz * 1_000_000, 200.0, 0, wave(hertz)) for code, hertz in ((harness.ECG_II, 500), (harness.PLETH, 250))]
                link.publish(free.pop(), harness.frame(1, sent + 1, begin + sent * 1_000_000, numerics, waves))
                sent += 1
            for packet, reason in link.acknowledged(5):
                if reason != 0:
                    raise Failed(f"{device}: a frame was answered with 0x{reason:02x}")
                free.append(packet)
                taken += 1
        link.close()
        return subject

    def export(self, mode: str):
        """Time and CPU for exporting whole courses, one after the other: each is one decision and one record. And what a very short one takes."""
        began = time.monotonic()
        for subject in self.obhut.subjects[: self.options.beds]:
            self.read(f"subject={subject}&code={harness.HEART_RATE}")
        self.short[mode].append((time.monotonic() - began) / self.options.beds * 1e3)
        before, began, got = cpu_seconds(self.obhut.pid), time.monotonic(), 0
        for _ in range(self.options.exports):
            for subject in self.courses:
                got += self.read(f"subject={subject}")
        took, cpu = time.monotonic() - began, cpu_seconds(self.obhut.pid) - before
        self.exports[mode].append((took / (got / 1e6), cpu / (got / 1e6)))
        print(f"    {mode:8} export: {took:.2f} s, {cpu:.2f} s CPU for {got / 1e6:.1f} MB", flush=True)

    def read(self, which: str) -> int:
        status, text = self.obhut.server.call("GET", f"/v1/readings/runs?{which}", raw=True, timeout=600)
        if status != 200 or not text:
            raise Failed(f"export: {status} {text[:200]!r}")
        return len(text)

    def run(self) -> bool:
        os.environ["OBHUT_DANGER_BYPASS"] = "0"
        self.obhut.open(self.options.beds, self.options.beds)
        self.courses = [self.course(number) for number in range(4)]
        print(f"    4 patients with {self.options.hours} h of course each", flush=True)
        for number in range(self.options.rounds):
            # Interleaved, the other one first each time.
            order = list(MODES) if number % 2 == 0 else list(reversed(MODES))
            for mode in order:
                self.become(mode)
                self.watch(mode)
        for number in range(self.options.rounds):
            # The same data for both: nothing streams any more.
            for mode in list(MODES) if number % 2 == 0 else list(reversed(MODES)):
                self.become(mode)
                self.export(mode)
        ratio = lambda values: statistics.median(a / b for a, b in zip(*values))  # noqa: E731
        live = ratio([self.live["with"], self.live["without"]])
        took = ratio([[t for t, _ in self.exports[mode]] for mode in MODES])
        cpu = ratio([[c for _, c in self.exports[mode]] for mode in MODES])
        for what, value in (("live stream, CPU", live), ("export, time", took), ("export, CPU", cpu)):
            print(f"{what} with permits and ledger beside without, <= {OVERHEAD_MAX:.2f}: {value:.3f}  {'yes' if value <= OVERHEAD_MAX else 'NO'}", flush=True)
        short = {mode: statistics.median(self.short[mode]) for mode in MODES}
        print(f"one decision and its durable record add {short['with'] - short['without']:.1f} ms to an export, however short ({short['without']:.1f} ms without)", flush=True)
        return max(live, took, cpu) <= OVERHEAD_MAX


def main() -> int:
    parse = argparse.ArgumentParser(description="Measure what decisions and records cost.")
    parse.add_argument("--obhut", type=Path, required=True, help="built with `--features test-bypass`")
    parse.add_argument("--loadgen", type=Path, default=ROOT / "bench" / "target" / "release" / "loadgen")
    parse.add_argument("--charter", type=Path, default=ROOT / "charters" / "bench.toml")
    parse.add_argument("--rounds", type=int, default=5)
    parse.add_argument("--beds", type=int, default=32)
    parse.add_argument("--pages", type=int, default=16)
    parse.add_argument("--secs", type=float, default=8)
    parse.add_argument("--exports", type=int, default=3, help="exports of each course in one measurement")
    parse.add_argument("--hours", type=float, default=4, help="length of a course")
    parse.add_argument("--dir", type=Path, default=Path("/var/tmp"))
    options = parse.parse_args()
    options.obhut, options.loadgen = options.obhut.resolve(), options.loadgen.resolve()
    work = Path(tempfile.mkdtemp(prefix="obhut-overhead-", dir=options.dir))
    bench = Overhead(options, work)
    try:
        return 0 if bench.run() else 1
    finally:
        bench.obhut.close()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
