"""Prints one line per signal of the given WFDB records, as wfdb-python reads them, for comparison with obhut-wfdb.

Usage: python digest.py FOLDER RECORD...   (pip install wfdb==4.3.1)
A line: record, signal, samples, absent samples, FNV-1a 64 of the samples as little-endian int32 ("no value" = -2^31).
Multi-segment records are read segment by segment, gaps and missing signals counting as "no value".
"""
import os
import sys

import numpy as np
import wfdb

SENTINEL = {"80": -128, "212": -2048, "16": -32768, "516": -32768, "32": -(2**31)}
ABSENT = -(2**31)


def fnv(samples):
    digest = 0xCBF29CE484222325
    for byte in samples.astype("<i4").tobytes():
        digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


def single(path):
    record = wfdb.rdrecord(path, physical=False, smooth_frames=False)
    for name, form, samples in zip(record.sig_name, record.fmt, record.e_d_signal):
        samples = np.asarray(samples, dtype=np.int64)
        yield name, np.where(samples == SENTINEL[form], ABSENT, samples)


def signals(folder, name):
    head = wfdb.rdheader(os.path.join(folder, name))
    if not isinstance(head, wfdb.MultiRecord):
        yield from single(os.path.join(folder, name))
        return
    layout = wfdb.rdheader(os.path.join(folder, head.seg_name[0]))
    whole = {n: np.full(head.sig_len * spf, ABSENT) for n, spf in zip(layout.sig_name, layout.samps_per_frame)}
    at = 0
    for segment, length in zip(head.seg_name, head.seg_len):
        if segment != "~" and length > 0:
            for n, samples in single(os.path.join(folder, segment)):
                spf = len(whole[n]) // head.sig_len
                whole[n][at * spf : at * spf + len(samples)] = samples
        at += length
    yield from whole.items()


for record in sys.argv[2:]:
    for name, samples in signals(sys.argv[1], record):
        print(record, name, len(samples), int((samples == ABSENT).sum()), fnv(samples))
