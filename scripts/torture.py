#!/usr/bin/env python3
"""kill -9 torture: nothing acknowledged may be missing or changed, whenever the server dies, full disk or not.

Devices publish frames and write down every acknowledgement. The server is killed at random instants under load, sometimes while it is
still starting, and started again; devices come back and send what was not acknowledged under the same sequence numbers. In the end, and
once more after an orderly stop, everything stored is read back and compared:

  * every value of every acknowledged frame is there, bit for bit;
  * nothing is there that no device sent;
  * nothing is there twice.

The second part does the same on a small file system that is filled to the last byte again and again (needs root to mount it).

    scripts/torture.py --obhut target/release/obhut --runs 200 --full-disk-runs 20
"""

import argparse
import base64
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import harness
from harness import ECG_II, HEART_RATE, PLETH, SPO2, Failed, Link, Server

ROOT = Path(__file__).resolve().parent.parent
MODEL = "bench"
# Of measured time; it runs faster than real time, as when a device works off its buffer. It begins yesterday, so that it never overtakes now.
FRAMES_PER_SECOND = 20
BEGIN_BEFORE_US = 24 * 3_600_000_000
RATES = {ECG_II: 500, PLETH: 100}
NUMERICS = (HEART_RATE, SPO2)
WINDOW = 20


class Device(threading.Thread):
    """Publishes a frame for every 50 ms of measured time, in order, and keeps the books."""

    def __init__(self, name: str, subject: str, context, seed: int, begin_us: int, speed: float):
        super().__init__(daemon=True)
        self.device, self.subject, self.context, self.begin_us, self.speed = name, subject, context, begin_us, speed
        self.started = time.monotonic()
        self.random = random.Random(seed)
        self.run_number = self.random.getrandbits(32)
        self.frames: dict[int, tuple] = {}  # number -> (wave bytes by code, numerics by code)
        self.payloads: dict[int, bytes] = {}  # not yet acknowledged
        self.acked: set[int] = set()
        self.resent = 0
        self.held_back = 0
        self.next_number = 1
        self.gateway: int | None = None
        self.stop_making = threading.Event()
        self.finish = threading.Event()
        self.broken: str | None = None
        self.sent_once: set[int] = set()

    def run(self):
        while not self.finish.is_set():
            port = self.gateway
            if port is None:
                time.sleep(0.005)
                continue
            try:
                link = Link(port, self.context, self.device)
            except (OSError, TimeoutError, IndexError):
                time.sleep(0.02)
                continue
            try:
                self.talk(link)
            except (OSError, TimeoutError):
                pass
            finally:
                link.close()

    def make(self):
        """Makes the frames that are due by now."""
        due = int((time.monotonic() - self.started) * self.speed * FRAMES_PER_SECOND)
        while self.next_number <= due and not self.stop_making.is_set():
            n = self.next_number
            base = self.begin_us + (n - 1) * 1_000_000 // FRAMES_PER_SECOND
            waves = {}
            for code, rate in RATES.items():
                count = rate // FRAMES_PER_SECOND
                waves[code] = struct.pack(f"<{count}h", *(self.random.randint(-2000, 2000) for _ in range(count)))
            numerics = {HEART_RATE: self.random.randint(30, 220), SPO2: self.random.randint(70, 100)}
            self.frames[n] = (base, waves, numerics)
            self.payloads[n] = harness.frame(
                self.run_number, n, base, [(c, 0, v, 0) for c, v in numerics.items()],
                [(c, 0, RATES[c] * 1_000_000, 200.0, 0, s) for c, s in waves.items()],
            )  # fmt: skip
            self.next_number += 1

    def talk(self, link: Link):
        window = min(WINDOW, link.window)
        waiting: dict[int, int] = {}  # packet id -> number
        free = list(range(1, window + 1))
        cursor = 0
        refused = False
        while not self.finish.is_set() and not (refused and not waiting):
            self.make()
            if not refused:
                for number in sorted(n for n in list(self.payloads) if n > cursor)[: len(free)]:
                    packet_id = free.pop()
                    waiting[packet_id] = number
                    self.resent += number in self.sent_once
                    self.sent_once.add(number)
                    link.publish(packet_id, self.payloads[number])
                    cursor = number
            for packet_id, reason in link.acknowledged(0.02):
                number = waiting.pop(packet_id)
                free.append(packet_id)
                if reason == 0:
                    self.acked.add(number)
                    self.payloads.pop(number, None)
                elif reason in (harness.QUOTA_EXCEEDED, harness.IMPLEMENTATION_SPECIFIC):
                    # Not taken: kept, and sent again in order, in a new session, once everything under way is answered.
                    self.held_back += 1
                    refused = True
                else:
                    self.broken = f"{self.device}: frame {number} was answered with 0x{reason:02x}"
                    self.finish.set()
        if refused:
            time.sleep(0.2)


class Ward:
    """A server with devices at beds and patients in them."""

    def __init__(self, options, work: Path, speed: float, data: Path | None = None):
        self.options, self.work, self.speed = options, work, speed
        self.random = random.Random(options.seed)
        self.server = Server(options.obhut, work, options.charter, data)
        self.devices: list[Device] = []

    def open(self):
        server = self.server
        server.start()
        beds = [row["id"] if "id" in row else row["bed"] for row in server.call("GET", "/v1/beds")["beds"]][: self.options.devices]
        if len(beds) < self.options.devices:
            raise Failed(f"the charter declares {len(beds)} beds, {self.options.devices} are needed")
        wanted = [{"id": f"torture-{i:02}", "model": MODEL, "serial": f"T-{i:04}"} for i in range(len(beds))]
        invited = server.call("POST", "/v1/devices", {"devices": wanted})["devices"]
        begin = time.time_ns() // 1000 - BEGIN_BEFORE_US
        for i, (bed, invitation) in enumerate(zip(beds, invited)):
            person = {"name": f"Torture Patient {i}", "birth_date": "1950-01-31", "record_number": f"R-{i:06}"}
            stay = server.call("PUT", f"/v1/beds/{bed}/patient", {**person, "from": begin - 60_000_000})
            server.call("PUT", f"/v1/devices/{invitation['id']}/bed", {"bed": bed, "from": begin - 60_000_000})
            context = harness.enrol(server, invitation, self.work / "tls")
            seed = self.random.getrandbits(48)
            self.devices.append(Device(invitation["id"], stay["subject"], context, seed, begin, self.speed))
        for device in self.devices:
            device.start()
        self.point()

    def point(self, to: bool = True):
        for device in self.devices:
            device.gateway = self.server.gateway if to else None

    def acknowledged(self) -> int:
        return sum(len(device.acked) for device in self.devices)

    def check_alive(self):
        for device in self.devices:
            if device.broken:
                raise Failed(device.broken)

    def wait_for(self, what: str, holds, seconds: float = 60):
        deadline = time.monotonic() + seconds
        while not holds():
            self.check_alive()
            if self.server.process.poll() is not None:
                raise Failed(f"the server ended by itself while waiting for {what}:\n{self.server.tail()}")
            if time.monotonic() > deadline:
                raise Failed(f"{what}: not within {seconds:.0f} s\n{self.server.tail()}")
            time.sleep(0.01)

    def kill_and_restart(self):
        self.server.kill()
        self.point(False)
        # One time in six it dies again before it is up: recovery must survive its own interruption.
        while self.random.random() < 1 / 6:
            self.server.spawn()
            time.sleep(self.random.uniform(0, 0.4))
            self.server.kill()
        self.server.start()
        self.point()

    def drain(self):
        """No new frames; everything made is acknowledged in the end."""
        for device in self.devices:
            device.stop_making.set()
        self.wait_for("the last acknowledgements", lambda: all(not d.payloads for d in self.devices), 120)
        for device in self.devices:
            device.finish.set()
        for device in self.devices:
            device.join(10)

    def verify(self) -> dict:
        total = {"frames": 0, "values": 0, "samples": 0}
        for device in self.devices:
            verify_device(self.server, device, total)
        return total

    def close(self):
        for device in self.devices:
            device.finish.set()
        self.server.end()


def verify_device(server: Server, device: Device, total: dict):
    sent = device.frames
    for code in NUMERICS:
        expected = {frame[0]: frame[2][code] for frame in sent.values()}
        stored: dict[int, int] = {}
        for line in server.runs(device.subject, code):
            scale = float(line["step"])
            for at, steps, _quality in line["values"]:
                if at in stored:
                    raise Failed(f"{device.device}: code {code} at {at} is stored twice")
                stored[at] = None if steps is None else round(steps * scale)
        for at, value in stored.items():
            if at not in expected:
                raise Failed(f"{device.device}: code {code} holds a value at {at} that was never sent")
            if expected[at] != value:
                raise Failed(f"{device.device}: code {code} at {at} is {value}, sent was {expected[at]}")
        for number in device.acked:
            if sent[number][0] not in stored:
                raise Failed(f"{device.device}: frame {number} was acknowledged and its code {code} is missing")
        total["values"] += len(stored)
    for code, rate in RATES.items():
        count = rate // FRAMES_PER_SECOND
        size = count * 2
        line_of_time = bytearray(size * (len(sent) + 1))
        covered = bytearray(len(line_of_time) // 2)
        for line in server.runs(device.subject, code):
            samples = base64.b64decode(line["samples"])
            first = round((line["start"] - device.begin_us) * rate / 1_000_000)
            number = len(samples) // 2
            if line["rate"] != rate * 1_000_000:
                raise Failed(f"{device.device}: code {code} is stored at {line['rate']} µHz")
            if first < 0 or first + number > len(covered):
                raise Failed(f"{device.device}: code {code} holds samples outside of what was sent")
            if any(covered[first : first + number]):
                raise Failed(f"{device.device}: code {code} holds samples twice near {line['start']}")
            covered[first : first + number] = b"\x01" * number
            line_of_time[first * 2 : first * 2 + len(samples)] = samples
        whole = b"\x01" * count
        for number, (_, waves, _) in sent.items():
            at = (number - 1) * count
            there = covered[at : at + count]
            if number in device.acked and there != whole:
                raise Failed(f"{device.device}: frame {number} was acknowledged and samples of code {code} are missing")
            if there == whole and line_of_time[at * 2 : at * 2 + size] != waves[code]:
                raise Failed(f"{device.device}: samples of code {code} in frame {number} are not what was sent")
            if there != whole and any(there):
                raise Failed(f"{device.device}: frame {number} is stored in part")
        total["samples"] += sum(covered)
    total["frames"] += len(device.acked)


def verify_twice(ward: Ward, what: str):
    found = ward.verify()
    ward.server.stop()
    ward.server.start()
    again = ward.verify()
    if found != again:
        raise Failed(f"after an orderly stop {again} is there, before it was {found}")
    resent = sum(d.resent for d in ward.devices)
    print(f"    {what}: {found['frames']} frames acknowledged, 0 missing, 0 changed, 0 twice; {resent} sent again; "
          f"{found['values']} numerics and {found['samples']} samples read back", flush=True)  # fmt: skip


def part_kill(options, work: Path):
    print(f"==> torture: kill -9, {options.runs} times, {options.devices} devices, seed {options.seed}", flush=True)
    ward = Ward(options, work / "kill", options.speed)
    try:
        ward.open()
        ward.wait_for("the first acknowledgements", lambda: ward.acknowledged() >= options.devices)
        for i in range(options.runs):
            before = ward.acknowledged()
            ward.wait_for("acknowledgements after a restart", lambda: ward.acknowledged() > before)
            time.sleep(ward.random.uniform(0, options.load_seconds))
            ward.check_alive()
            ward.kill_and_restart()
            if (i + 1) % 20 == 0 or i + 1 == options.runs:
                print(f"    {i + 1} kills, {ward.acknowledged()} frames acknowledged", flush=True)
        ward.drain()
        verify_twice(ward, f"{options.runs} kills")
    finally:
        ward.close()


def mount_small(at: Path, megabytes: int) -> bool:
    at.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", at], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"    (no small file system can be mounted here: {done.stderr.strip()}; the full-disk part is skipped)", flush=True)
    return done.returncode == 0


def fill(at: Path) -> Path:
    """Takes every byte that is left."""
    filler = at / "filler"
    with open(filler, "ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                pass
    return filler


# A small disk fills with what is acknowledged, too: after so many times a new one.
FULL_AT_ONE_DISK = 20


def part_full(options, work: Path):
    print(f"==> torture: full disk and kill -9, {options.full_disk_runs} times", flush=True)
    if os.geteuid() != 0:
        print("    (mounting a small file system needs root; the full-disk part is skipped)", flush=True)
        return
    for first in range(0, options.full_disk_runs, FULL_AT_ONE_DISK):
        if not one_small_disk(options, work, first, min(FULL_AT_ONE_DISK, options.full_disk_runs - first)):
            return


def one_small_disk(options, work: Path, first: int, runs: int) -> bool:
    """Fills a new small disk `runs` times; false if there can be none."""
    small = work / "small"
    if not mount_small(small, options.full_disk_megabytes):
        return False
    ward = Ward(options, work / f"full-{first}", 4 * options.speed, small / "data")
    try:
        ward.open()
        ward.wait_for("the first acknowledgements", lambda: ward.acknowledged() >= options.devices)
        for i in range(runs):
            filler = fill(small)
            held = sum(d.held_back for d in ward.devices)

            def full_and_said():
                # A journal that is retired meanwhile makes room: take that too.
                fill(small)
                return sum(d.held_back for d in ward.devices) > held and ward.server.call("GET", "/v1/status")["store"] == "disk_full"

            ward.wait_for("a full disk that the status admits and frames refused", full_and_said)
            time.sleep(ward.random.uniform(0, options.load_seconds))
            if i % 2 == 0:
                # Dies while the disk is full, and comes back to a disk that still is: it has a reserve for that.
                ward.server.kill()
                ward.point(False)
                ward.server.start()
                ward.point()
                time.sleep(ward.random.uniform(0, 0.5))
            filler.unlink(missing_ok=True)
            before = ward.acknowledged()
            ward.wait_for("acknowledgements after there was room again", lambda: ward.acknowledged() > before)
            if i % 2 == 1:
                ward.kill_and_restart()
        ward.drain()
        verify_twice(ward, f"{first + runs} times full")
    finally:
        ward.close()
        subprocess.run(["umount", "-l", small], check=False)
    return True


def main() -> int:
    parse = argparse.ArgumentParser(description="Kill the server under load, again and again, and look for every acknowledged frame.")
    parse.add_argument("--obhut", type=Path, required=True, help="the server's binary")
    parse.add_argument("--charter", type=Path, default=ROOT / "charters" / "bench.toml")
    parse.add_argument("--runs", type=int, default=200)
    parse.add_argument("--full-disk-runs", type=int, default=20)
    parse.add_argument("--full-disk-megabytes", type=int, default=96)
    parse.add_argument("--devices", type=int, default=8)
    parse.add_argument("--speed", type=float, default=5, help="measured time in real time; a device then sends 20 times as many frames a second")
    parse.add_argument("--load-seconds", type=float, default=1.0, help="a kill comes at most this long after the first acknowledgement")
    parse.add_argument("--seed", type=int, default=None, help="kills come at the same places in the random sequence (default: the clock)")
    parse.add_argument("--dir", type=Path, default=None, help="where to work (default: a new folder under target/)")
    parse.add_argument("--keep", action="store_true", help="keep the folder")
    options = parse.parse_args()
    options.obhut = options.obhut.resolve()
    options.seed = options.seed if options.seed is not None else time.time_ns() % 1_000_000_007
    # Beside the build, not in /tmp: that is often memory, and the point is a disk.
    (ROOT / "target").mkdir(exist_ok=True)
    work = options.dir or Path(tempfile.mkdtemp(prefix="torture-", dir=ROOT / "target"))
    failed = False
    try:
        if options.runs:
            part_kill(options, work)
        if options.full_disk_runs:
            part_full(options, work)
    except Failed as error:
        failed = True
        print(f"torture FAILED (seed {options.seed}): {error}\n    kept: {work}", file=sys.stderr)
    finally:
        if not failed and not options.keep and options.dir is None:
            shutil.rmtree(work, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
