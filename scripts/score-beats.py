#!/usr/bin/env python3
"""Score the beats that obhut-signal finds in a WFDB record with the public wfdb package.

The example program `beats` prints sample numbers; wfdb.processing.compare_annotations matches them with the reference annotations
within 150 ms (ANSI/AAMI EC57). Nothing is installed: what is missing is named.

    scripts/score-beats.py FOLDER [--record 100] [--signal MLII] [--annotator atr] [--min 99.9] [--beats PROGRAM]
"""

import argparse
import pathlib
import subprocess
import sys

# What counts as a beat among WFDB annotation codes (wfdb-python, io/annotation.py: is_qrs).
BEATS = set("NLRBAaJSVrFejnE/fQ?")
WINDOW_SECONDS = 0.150


def missing(what, how):
    print(f"score-beats: {what} is missing; {how}", file=sys.stderr)
    sys.exit(3)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="folder with the record and its annotations")
    parser.add_argument("--record", default="100")
    parser.add_argument("--signal", default=None, help="signal name; the first one if left out")
    parser.add_argument("--annotator", default="atr")
    parser.add_argument("--min", type=float, default=99.9, help="percent that sensitivity and PPV must reach")
    parser.add_argument("--beats", default=None, help="the example program; built by cargo if left out")
    return parser.parse_args()


def found_beats(options):
    program = [options.beats] if options.beats else ["cargo", "run", "--quiet", "-p", "obhut-signal", "--example", "beats", "--"]
    root = pathlib.Path(__file__).resolve().parent.parent
    folder = pathlib.Path(options.folder).resolve()
    command = program + [str(folder), options.record] + ([options.signal] if options.signal else [])
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        missing(f"`{program[0]}`", "install Rust, or give --beats")
    if done.returncode != 0:
        print(done.stderr, file=sys.stderr, end="")
        sys.exit(1)
    return [int(line) for line in done.stdout.split()]


def main():
    options = arguments()
    try:
        import numpy
        import wfdb
        from wfdb import processing
    except ImportError as error:
        missing(f"the Python package `{error.name}`", "install it, for instance: python3 -m venv V && V/bin/pip install wfdb")
    path = pathlib.Path(options.folder) / options.record
    for suffix in (".hea", "." + options.annotator):
        if not path.with_name(path.name + suffix).is_file():
            missing(f"`{path}{suffix}`", "give the folder that has it")
    header = wfdb.rdheader(str(path))
    annotation = wfdb.rdann(str(path), options.annotator)
    beat = [symbol in BEATS for symbol in annotation.symbol]
    reference = annotation.sample[numpy.array(beat, dtype=bool)]
    rate = header.fs
    names = header.sig_name or []
    index = names.index(options.signal) if options.signal in names else 0
    per_frame = (header.samps_per_frame or [1])[index]
    # Annotations count at their own rate where they state one; both are brought to the signal's.
    scale = rate * per_frame / (annotation.fs or rate)
    reference = numpy.round(reference * scale).astype(int)
    found = numpy.array(found_beats(options), dtype=int)
    result = processing.compare_annotations(reference, found, int(round(WINDOW_SECONDS * rate * per_frame)))
    sensitivity, ppv = 100 * result.sensitivity, 100 * result.positive_predictivity
    print(
        f"wfdb {wfdb.__version__}: record {options.record}, {options.signal or names[index]}: reference {len(reference)}, found {len(found)}, "
        f"TP {result.tp}, FN {result.fn}, FP {result.fp}, Se {sensitivity:.3f} %, PPV {ppv:.3f} %"
    )
    sys.exit(0 if min(sensitivity, ppv) >= options.min else 1)


if __name__ == "__main__":
    main()
