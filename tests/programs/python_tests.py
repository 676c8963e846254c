"""Runs test modules of Python and prints the outcome of each test: python_tests.py LIST MODULE...

LIST names tests that are not run, each with the reason; the others have the same outcome in each run.
"""
import faulthandler
import os
import signal
import sys
import unittest

from test import support

SECONDS = 60
# The tests themselves write to stdout as well.
OUTCOMES = os.fdopen(os.dup(1), "w")


class Outcomes(unittest.TestResult):
    def startTest(self, test):
        super().startTest(test)
        signal.signal(signal.SIGALRM, timed_out)
        faulthandler.dump_traceback_later(SECONDS + 60, exit=True)
        self.outcome = "ok"
        signal.alarm(SECONDS)

    def stopTest(self, test):
        signal.alarm(0)
        print(test.id(), self.outcome, file=OUTCOMES, flush=True)
        super().stopTest(test)

    def addFailure(self, test, error):
        self.outcome = "failed"
        explain(test, self._exc_info_to_string(error, test))

    def addError(self, test, error):
        self.outcome = "error"
        explain(test, self._exc_info_to_string(error, test))

    def addSkip(self, test, reason):
        self.outcome = "skipped: " + reason

    def addExpectedFailure(self, test, error):
        self.outcome = "failed as expected"

    def addUnexpectedSuccess(self, test):
        self.outcome = "unexpected success"

    def addSubTest(self, test, subtest, error):
        if error:
            self.addFailure(subtest, error)


def timed_out(signal, frame):
    raise TimeoutError(f"{SECONDS} s")


def explain(test, text):
    """On stderr only where it is looked for: addresses and pids differ from run to run."""
    if "EXPLAIN" in os.environ:
        print(test, text, file=sys.stderr)


def tests_of(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


def main(excluded, modules):
    with open(excluded) as lines:
        names = {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}
    support.verbose = 0
    support.use_resources = []
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    only = os.environ.get("ONLY", "")
    for module in modules:
        loaded = unittest.defaultTestLoader.loadTestsFromName("test." + module)
        chosen = [test for test in tests_of(loaded) if not excludes(names, test.id()) and only in test.id()]
        unittest.TestSuite(chosen).run(Outcomes())


def excludes(names, test):
    return any(test == name or test.startswith(name + ".") for name in names)


main(sys.argv[1], sys.argv[2:])
