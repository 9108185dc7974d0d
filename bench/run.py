#!/usr/bin/env python3
"""Obhut beside mosquitto, and beside mosquitto with a consumer and PostgreSQL: the same generator, in one run, interleaved. What each case
asks and how it is measured stands in README.md; `make bench` builds everything and calls this."""

import argparse
import base64
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import side
from side import ROOT, Failed, Loadgen, Mosquitto, Obhut, Postgres, cpu_seconds, wait_quiet

CASES = ["stack", "flat", "storm", "idle", "back", "soak", "bytes"]
STACK_RATES = [20_000, 30_000, 40_000, 50_000, 60_000, 80_000, 100_000]
OBHUT_RATES = [60_000, 90_000, 120_000, 150_000, 180_000, 210_000, 240_000, 300_000]
P99_MS = 500
# InfluxDB's hardware sizing guide: a non-string value takes about three bytes. Not run here; version 2 and 3 are in no Debian archive.
INFLUX_BYTES = 3.0


class Bench:
    def __init__(self, options, work: Path, out: Path):
        self.options, self.work, self.random = options, work, random.Random(options.seed)
        self.loadgen = Loadgen(options.loadgen)
        self.results = open(out / "results.jsonl", "w", buffering=1)
        self.rows: list[tuple[str, str, str, bool | None]] = []
        self.wanted = options.only.split(",") if options.only else CASES
        connections = options.connections
        needs_many = {"idle", "back"} & set(self.wanted)
        self.devices = connections if needs_many else 512
        self.obhut = Obhut(options.obhut, work / "obhut", options.charter, self.loadgen)
        self.mosquitto: Mosquitto | None = None
        self.postgres: Postgres | None = None

    # ------------------------------------------------------------ helpers

    def note(self, case: str, server: str, result: dict) -> dict:
        result = {"case": case, "server": server, **result}
        self.results.write(json.dumps(result) + "\n")
        return result

    def row(self, asked: str, got: str, holds: bool | None, detail: str = ""):
        self.rows.append((asked, got, detail, holds))
        mark = {True: "yes", False: "NO", None: "  ?"}[holds]
        print(f"    -> {asked}: {got}  [{mark}]  {detail}", flush=True)

    def load(self, case: str, side, mode: str, *arguments, timeout: float = 300) -> dict:
        wait_quiet()
        topic = ["--topic", side.topic] if mode in ("pub", "idle") else []
        result = self.note(case, side.name, self.loadgen.run(mode, *side.target(), *topic, *arguments, timeout=timeout))
        if side is self.obhut:
            # Here every answer but success means that something was not kept; mosquitto says 0x10 when nobody subscribes.
            result["nacked"] = sum((result.get("reasons") or {}).values())
        if result.get("failed") or result.get("lost") or result.get("nacked"):
            print(f"    ! {side.name}: failed {result.get('failed')}, lost {result.get('lost')}, refused {result.get('reasons')}: {result.get('last_error')}")
        return result

    def shuffled(self, *sides):
        order = list(sides)
        self.random.shuffle(order)
        return order

    def payload(self, side) -> list:
        # The same five vital signs in 200 bytes, each in the form its server takes.
        return ["--client-prefix", "lg", "--payload", "senml:200" if side is self.obhut else "json:200"]

    # ------------------------------------------------------------ cases

    def stack(self):
        print("==> stack: sustained readings a second, device to durable and sealed", flush=True)
        ratios, cpu_ratios, best_pairs = [], [], []
        for r in range(self.options.rounds):
            best = {}
            for side in self.shuffled("obhut", "stack"):
                best[side] = self.sustained_obhut(r) if side == "obhut" else self.sustained_stack(r)
            if not all(best.values()):
                print(f"    round {r}: not measurable: {best}")
                continue
            (ours, our_cpu), (theirs, their_cpu) = best["obhut"], best["stack"]
            ratios.append(ours / theirs)
            cpu_ratios.append(our_cpu / their_cpu)
            best_pairs.append((ours, theirs, our_cpu, their_cpu))
            print(f"    round {r}: obhut {ours}/s at {our_cpu:.2f} µs, stack {theirs}/s at {their_cpu:.2f} µs", flush=True)
        if ratios:
            ours, theirs, our_cpu, their_cpu = best_pairs[len(best_pairs) // 2]
            self.row("sustained readings/s beside the stack, >= 3", f"{statistics.median(ratios):.2f}", statistics.median(ratios) >= 3, f"{ours:,} beside {theirs:,}")
            median = statistics.median(cpu_ratios)
            self.row("CPU per reading beside the stack, <= 0.33", f"{median:.2f}", median <= 1 / 3, f"{our_cpu:.1f} µs beside {their_cpu:.1f} µs")

    def sustained_obhut(self, r: int):
        best, fails = None, 0
        for rate in OBHUT_RATES:
            d = self.load(
                "stack", self.obhut, "pub", "--conns", 100, "--inflight", 50, "--rate", rate, "--duration", self.options.secs, "--warmup", 0.5, *self.payload(self.obhut)
            )  # fmt: skip
            p99 = d["ack_from_intended"]["p99_us"] / 1000
            holds = d["msgs_per_s"] >= 0.97 * rate and p99 <= P99_MS and not d["nacked"] and not d["lost"]
            cpu = d["clocks"]["server_cpu_us_per_msg"]
            print(f"    {r} obhut {rate:>7}/s {'ok  ' if holds else 'FAIL'} got {d['msgs_per_s']:.0f}/s p99 {p99:.1f} ms, {cpu:.2f} µs", flush=True)
            if holds:
                best, fails = (rate, cpu), 0
            else:
                fails += 1
                if fails >= 2:
                    break
        return best

    def sustained_stack(self, r: int):
        best, fails = None, 0
        for rate in STACK_RATES:
            wait_quiet()
            self.postgres.sql("truncate readings, readings_enc")
            self.mosquitto.start()
            try:
                d = self.one_stack(rate)
            finally:
                self.mosquitto.close()
            p99 = d["publish_to_committed"]["p99_us"] / 1000
            holds = d["rows"] >= d["published"] and p99 <= P99_MS and d["generated_per_s"] >= 0.97 * rate
            cpu = d["cpu_us"]
            print(f"    {r} stack {rate:>7}/s {'ok  ' if holds else 'FAIL'} rows {d['rows']} of {d['published']} p99 {p99:.1f} ms, {cpu:.2f} µs", flush=True)
            if holds:
                best, fails = (rate, cpu), 0
            else:
                fails += 1
                if fails >= 2:
                    break
        return best

    def one_stack(self, rate: int) -> dict:
        sink = subprocess.Popen(
            [self.options.loadgen, "sink", "--broker", f"127.0.0.1:{self.mosquitto.port}", "--tls-dir", self.mosquitto.tls, "--mode", "appgcm",
             "--pg", self.postgres.connection(), "--quiet", "1.5", "--max", "60"], stdout=subprocess.PIPE, text=True)  # fmt: skip
        try:
            sink.stdout.readline()
            time.sleep(0.3)
            before = cpu_seconds(self.mosquitto.pid), cpu_seconds(self.postgres.pid)
            sent = self.loadgen.run("pub", *self.mosquitto.target(), "--topic", self.mosquitto.topic, "--conns", 100, "--inflight", 50, "--rate", rate, "--duration", self.options.secs, "--warmup", 0.5, *self.payload(self.mosquitto))  # fmt: skip
            text, _ = sink.communicate(timeout=90)
        finally:
            if sink.poll() is None:
                sink.kill()
                sink.wait()
        d = json.loads(text.strip().splitlines()[-1])
        rows = max(d["rows"], 1)
        broker, store = cpu_seconds(self.mosquitto.pid) - before[0], cpu_seconds(self.postgres.pid) - before[1]
        d.update(
            rate=rate, published=sent["acked"], generated_per_s=sent["msgs_per_s"], broker_us=broker * 1e6 / rows, store_us=store * 1e6 / rows,
            cpu_us=d["cpu_us_per_row"] + (broker + store) * 1e6 / rows,
        )  # fmt: skip
        return self.note("stack", "stack", d)

    def flat(self):
        print("==> flat: CPU per QoS 1 message, 50 connections x 20 in flight, 200 B", flush=True)
        ratios, pairs = [], []
        for r in range(self.options.rounds):
            cpu = {}
            for side in self.shuffled(self.obhut, self.mosquitto):
                d = self.load("flat", side, "pub", "--conns", 50, "--inflight", 20, "--duration", self.options.secs, "--warmup", 0.5, *self.payload(side))
                cpu[side.name] = d["clocks"]["server_cpu_us_per_msg"]
                print(f"    {r} {side.name:10} {d['msgs_per_s']:>9.0f}/s {cpu[side.name]:.2f} µs, p50 {d['ack']['p50_us'] / 1000:.2f} p99 {d['ack']['p99_us'] / 1000:.2f} ms", flush=True)
            ratios.append(cpu["obhut"] / cpu["mosquitto"])
            pairs.append(cpu)
        median = statistics.median(ratios)
        self.row("CPU per QoS 1 message beside mosquitto's forwarding, <= 1", f"{median:.2f}", median <= 1, f"{pairs[-1]['obhut']:.1f} µs beside {pairs[-1]['mosquitto']:.1f} µs")

    def storm(self):
        print("==> storm: full handshakes", flush=True)
        ratios, pairs = [], []
        for r in range(self.options.rounds):
            rate = {}
            for side in self.shuffled(self.obhut, self.mosquitto):
                d = self.load("storm", side, "storm", "--concurrency", 32, "--duration", self.options.secs, "--client-prefix", "lg")
                rate[side.name] = d["conns_per_s"]
                print(f"    {r} {side.name:10} {d['conns_per_s']:>8.0f}/s {d['clocks']['server_cpu_us_per_msg']:.0f} µs CPU each, failed {d['failed']}", flush=True)
            ratios.append(rate["obhut"] / rate["mosquitto"])
            pairs.append(rate)
        median = statistics.median(ratios)
        self.row("full handshakes/s beside mosquitto, >= 2", f"{median:.2f}", median >= 2, f"{pairs[-1]['obhut']:.0f} beside {pairs[-1]['mosquitto']:.0f}")

    def idle(self):
        count = self.options.connections
        print(f"==> idle: {count} connections", flush=True)
        kib = {}
        for side in (self.obhut, self.mosquitto):
            # Freshly started, so that what earlier cases left behind is not counted for or against it.
            self.restart(side)
            d = self.load("idle", side, "idle", "--conns", count, "--concurrency", 48, "--hold", 3, "--client-prefix", "lg", timeout=600)
            kib[side.name] = sum(d["server_rss_kib_per_conn"])
            print(f"    {side.name:10} {kib[side.name]:.1f} KiB each, {d['connected']} connected at {d['conns_per_s']:.0f}/s, lost {d['lost']}", flush=True)
            if side is self.obhut:
                kept = d["connected"]
        self.row(f"memory per idle connection at {count}, <= 24 KiB", f"{kib['obhut']:.1f} KiB", kib["obhut"] <= 24 and kept == count, f"mosquitto {kib['mosquitto']:.1f}")

    def back(self):
        count = self.options.connections
        print(f"==> back: {count} devices after kill -9 and start", flush=True)
        self.restart(self.obhut)
        target = [*map(str, self.obhut.target()), "--topic", self.obhut.topic]
        command = [self.options.loadgen, "reconnect", *target, "--conns", str(count), "--client-prefix", "lg", "--max", "180"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            if child.stdout.readline().strip() != "up":
                raise Failed("the devices did not all come up")
            self.obhut.server.kill()
            self.obhut.server.start()
            text, _ = child.communicate(timeout=300)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        d = self.note("back", "obhut", json.loads(text.strip().splitlines()[-1]))
        self.row(f"{count} devices stream again after a restart, <= 30 s", f"{d['all_back_s']:.1f} s", d["all_back_s"] <= 30, f"half after {d['half_back_s']:.1f} s, {d['attempts']} attempts")

    def soak(self):
        beds, seconds = 500, self.options.soak_seconds
        print(f"==> soak: {beds} beds for {seconds:.0f} s", flush=True)
        self.restart(self.obhut)
        stop, pages = threading.Event(), []
        watch = threading.Thread(target=self.watch, args=(stop, pages), daemon=True)
        watch.start()
        d = self.load("soak", self.obhut, "wave", "--beds", beds, "--duration", seconds, "--client-prefix", "lg", "--topic", "obhut/{prefix}-{client}/frame", timeout=seconds + 180)  # fmt: skip
        stop.set()
        watch.join()
        if "error" in d:
            raise Failed(f"soak: {d}")
        print(f"    {d['numerics_per_s']:.0f} numerics/s, {d['samples_per_s']:.0f} samples/s, server {d['clocks']['server_cpu_s'][0] / d['seconds']:.2f} cores", flush=True)
        full = d["samples_per_s"] >= 0.99 * 562_500 and d["numerics_per_s"] >= 0.99 * 5_000
        self.row("5,000 numerics/s and 562,500 samples/s durable and sealed", f"{d['numerics_per_s']:.0f} and {d['samples_per_s']:.0f}", full, f"{seconds:.0f} s, {d['clocks']['server_cpu_s'][0] / d['seconds']:.2f} cores")  # fmt: skip
        p99 = d["ack_from_due"]["p99_us"] / 1000
        self.row("acknowledgement p99, <= 50 ms", f"{p99:.1f} ms", p99 <= 50, f"p50 {d['ack_from_due']['p50_us'] / 1000:.1f} ms, max {d['ack_from_due']['max_us'] / 1000:.0f} ms")
        rss = d["server_rss_max_kib"] / 1024
        self.row("resident memory, <= 1 GiB", f"{rss:.0f} MiB", rss <= 1024)
        lost = d["unanswered"] + d["nacked"] + d["lost"]
        missing, looked = self.read_back(d, beds)
        self.row("lost, 0", f"{lost + missing}", lost + missing == 0, f"{d['frames_total']} frames acknowledged; {looked} samples read back")

    def watch(self, stop: threading.Event, into: list):
        while not stop.wait(1):
            into.append(self.obhut.server.call("GET", "/v1/status").get("store"))

    def read_back(self, d: dict, beds: int) -> tuple[int, int]:
        """How many samples of the acknowledged ones are not there; all beds of a short run, every tenth of a long one."""
        step = 1 if d["samples_total"] < 60_000_000 else 10
        waves = (131330, 150452, 150036, 151552)
        found = 0
        since = int((time.time() - d["seconds"] - 120) * 1e6)
        for subject in self.obhut.subjects[:beds:step]:
            for code in waves:
                status, text = self.obhut.server.call("GET", f"/v1/readings/runs?subject={subject}&code={code}&from={since}", raw=True, timeout=600)
                if status != 200:
                    raise Failed(f"reading back: {status} {text[:200]!r}")
                found += sum(len(base64.b64decode(json.loads(line)["samples"])) // 2 for line in text.splitlines())
        if step == 1:
            return max(d["samples_total"] - found, 0), found
        # Beds send at the same pace and may differ by the frames under way at the end.
        expected = d["samples_total"] / step
        return max(int(expected * 0.999) - found, 0), found

    def bytes(self):
        print("==> bytes: what a stored waveform sample takes", flush=True)
        recorded = self.recording()
        hertz, seconds = 360 if recorded else 500, self.options.bytes_seconds
        arguments = ["--samples", recorded, "--waves", "131329:360,131330:360"] if recorded else []
        # A chunk holds one stream of one generation, about a minute; pco alone gets the same.
        bare = self.note("bytes", "pco", self.loadgen.run("pco", *(["--file", recorded] if recorded else []), "--chunk", hertz * 60))
        self.restart(self.obhut)
        before = self.obhut.disk_bytes()
        d = self.load("bytes", self.obhut, "wave", "--beds", 100, "--no-numerics", "--duration", seconds, "--client-prefix", "lg", "--topic", "obhut/{prefix}-{client}/frame", *arguments, timeout=seconds + 120)  # fmt: skip
        # An orderly stop and start moves what is still in the journal into segments.
        self.restart(self.obhut)
        time.sleep(3)
        after = self.obhut.disk_bytes()
        grown = {kind: after[kind] - before[kind] for kind in after}
        self.note("bytes", "obhut", {"grown": grown, "samples": d["samples_total"]})
        ours = grown["segments"] / d["samples_total"]
        source = "record 100 of MIT-BIH" if recorded else "synthetic signals"
        print(f"    grown by {grown} for {d['samples_total']} samples", flush=True)
        self.row("bytes per sample, sealed, beside bare pco, <= 1.10", f"{ours / bare['bytes_per_sample']:.2f}", ours <= 1.1 * bare["bytes_per_sample"], f"{ours:.3f} beside {bare['bytes_per_sample']:.3f}; {source}")  # fmt: skip
        rows = self.postgres_row_bytes()
        self.row("bytes per sample beside PostgreSQL rows, <= 0.2", f"{ours / rows:.3f}", ours <= 0.2 * rows, f"{rows:.0f} bytes a row")
        self.row("bytes per sample beside InfluxDB, <= 0.2", f"{ours / INFLUX_BYTES:.2f}", ours <= 0.2 * INFLUX_BYTES, f"{INFLUX_BYTES} bytes a value by its sizing guide, not run here")

    def recording(self) -> Path | None:
        """Record 100 as raw samples, one channel, if the recordings are there (format 212: two 12-bit samples in three bytes)."""
        place = Path(os.environ.get("OBHUT_DATA", ROOT / ".." / "shared" / "data")) / "wfdb" / "100.dat"
        if not place.exists():
            print(f"    (no recordings: synthetic signals are used; OBHUT_DATA names the folder)")
            return None
        raw, out = place.read_bytes(), bytearray()
        for i in range(0, len(raw) - 2, 3):
            sample = raw[i] | (raw[i + 1] & 0x0F) << 8
            out += (sample - 4096 if sample > 2047 else sample).to_bytes(2, "little", signed=True)
        to = self.work / "recorded.i16"
        to.write_bytes(out)
        return to

    def postgres_row_bytes(self) -> float:
        self.postgres.sql("create table samples(subject int, code int, ts timestamptz, value smallint)")
        self.postgres.sql("insert into samples select 1, 131330, now() + i * interval '2778 us', ((i % 1000) * 7919 % 2048)::smallint from generate_series(1, 300000) i")
        return int(self.postgres.sql("select pg_relation_size('samples')")) / 300_000

    # ------------------------------------------------------------ the run

    def restart(self, side):
        if side is self.obhut:
            side.server.stop()
            side.server.start()
        else:
            side.close()
            side.start()

    def run(self):
        print(f"==> enrolling {self.devices} devices", flush=True)
        self.obhut.open(self.devices, 500 if "soak" in self.wanted else 100)
        if {"stack", "flat", "storm", "idle"} & set(self.wanted):
            self.mosquitto = Mosquitto(self.work / "mosquitto", self.loadgen, self.devices)
        if {"stack", "bytes"} & set(self.wanted):
            self.postgres = Postgres(self.work / "postgres")
            self.postgres.start()
        for case in self.wanted:
            alone = case in ("flat", "storm", "idle")
            if alone:
                self.mosquitto.start()
            try:
                getattr(self, case)()
            except Failed as error:
                self.row(case, "failed", False, str(error).splitlines()[0])
                print(f"    {error}", flush=True)
                if self.obhut.server.process.poll() is not None:
                    self.obhut.server.start()
            finally:
                if alone:
                    self.mosquitto.close()

    def close(self):
        for side in (self.obhut, self.mosquitto, self.postgres):
            if side:
                side.close()


def summary(bench: Bench, out: Path) -> bool:
    width = max((len(asked) for asked, *_ in bench.rows), default=10)
    lines = [f"{'asked':{width}}  {'got':>20}  holds  detail"]
    for asked, got, detail, holds in bench.rows:
        lines.append(f"{asked:{width}}  {got:>20}  {({True: 'yes', False: 'NO', None: '?'})[holds]:5}  {detail}")
    text = "\n".join(lines)
    (out / "summary.txt").write_text(text + "\n")
    print(f"\n{text}\n\nAll measurements: {out / 'results.jsonl'}", flush=True)
    return all(holds is not False for *_, holds in bench.rows)


def main() -> int:
    parse = argparse.ArgumentParser(description="Measure Obhut beside what it is compared with.")
    parse.add_argument("--obhut", type=Path, required=True)
    parse.add_argument("--loadgen", type=Path, default=ROOT / "bench" / "target" / "release" / "loadgen")
    parse.add_argument("--charter", type=Path, default=ROOT / "charters" / "bench.toml")
    parse.add_argument("--only", default="", help=f"cases, with commas: {','.join(CASES)}")
    parse.add_argument("--rounds", type=int, default=3)
    parse.add_argument("--secs", type=float, default=4, help="seconds of each measurement")
    parse.add_argument("--connections", type=int, default=10_000, help="for `idle` and `back`")
    parse.add_argument("--soak-seconds", type=float, default=60, help="600 is what is promised")
    parse.add_argument("--bytes-seconds", type=float, default=180)
    parse.add_argument("--quiet-wait", type=float, default=20, help="most seconds to wait for other work to end before each measurement")
    parse.add_argument("--seed", type=int, default=1)
    parse.add_argument("--dir", type=Path, default=Path("/var/tmp"), help="where servers keep their data: a real disk that the user `postgres` may enter")
    parse.add_argument("--keep", action="store_true", help="keep the servers' folders")
    options = parse.parse_args()
    options.obhut, options.loadgen = options.obhut.resolve(), options.loadgen.resolve()
    side.QUIET_SECONDS = options.quiet_wait
    unknown = [case for case in options.only.split(",") if case and case not in CASES]
    if unknown:
        parse.error(f"no such case: {', '.join(unknown)}")
    out = ROOT / "bench" / "out"
    out.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="obhut-bench-", dir=options.dir))
    work.chmod(0o755)
    bench = Bench(options, work, out)
    try:
        bench.run()
    finally:
        bench.close()
        if options.keep:
            print(f"kept: {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    return 0 if summary(bench, out) else 1


if __name__ == "__main__":
    sys.exit(main())
