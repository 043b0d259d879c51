"""The checks and the measured values of a run."""

import threading
import time


class Report:
    """Counts checks, collects figures; a failing check does not end the part."""

    def __init__(self):
        self.passed = self.failed = 0
        self.skipped, self.rows, self.notes = [], [], []
        self.lock = threading.Lock()
        self.begin = time.monotonic()

    def say(self, text):
        print(f"[{time.monotonic() - self.begin:5.0f}s] {text}", flush=True)

    def ok(self, name, condition, detail=""):
        with self.lock:
            if condition:
                self.passed += 1
            else:
                self.failed += 1
                print(f"FAIL {name}\n     {detail}", flush=True)
        return bool(condition)

    def equal(self, name, found, expected):
        return self.ok(name, found == expected, f"expected {expected!r}, found {found!r}")

    def skip(self, what, why):
        self.skipped.append(f"{what}: {why}")

    def figure(self, name, value, unit, most=None):
        """A row of the table; with `most` it is held to a limit."""
        with self.lock:
            self.rows.append((name, value, unit, most))

    def note(self, text):
        with self.lock:
            self.notes.append(text)

    def short(self):
        return [row for row in self.rows if row[3] is not None and row[1] > row[3]]

    def print(self):
        print()
        for note in self.notes:
            print(note)
        width = max((len(row[0]) for row in self.rows), default=0)
        if self.rows:
            print(f"\n{'measured':{width}}  {'value':>9}  {'limit':>9}")
        for name, value, unit, most in self.rows:
            limit = "" if most is None else f"{most:g} {unit}"
            verdict = "" if most is None else ("ok" if value <= most else "SHORT")
            print(f"{name:{width}}  {f'{value:.3g} {unit}':>9}  {limit:>9}  {verdict}")
        for line in self.skipped:
            print(f"skipped: {line}")
        took = time.monotonic() - self.begin
        print(f"\n{self.passed} passed, {self.failed} failed, {len(self.short())} short, "
              f"{len(self.skipped)} skipped, in {took:.0f} s")
