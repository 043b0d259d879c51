"""Runs a command in a terminal of its own, and types an answer at each question.

    terminal.py QUESTION ANSWERS COMMAND...

QUESTION is a part of what the command prints when it asks; each line of the file ANSWERS is typed
once, in turn. What the terminal shows goes to the standard output; the exit code is the command's,
or 99 when it asked more often than there are answers, or less.
"""

import os
import pty
import sys
import termios
import time



def quiet(terminal):
    """Until nothing that is typed is shown: what comes before that is thrown away, too."""
    end = time.monotonic() + 10
    while termios.tcgetattr(terminal)[3] & termios.ECHO and time.monotonic() < end:
        time.sleep(0.01)


question, answers = sys.argv[1].encode(), open(sys.argv[2]).read().splitlines()
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[3], sys.argv[3:])
shown, asked = b"", 0
while True:
    try:
        more = os.read(terminal, 65536)
    except OSError:  # EIO is the end of a terminal.
        break
    if not more:
        break
    os.write(1, more)
    shown += more
    while question in shown:
        shown = shown.split(question, 1)[1]
        if asked < len(answers):
            quiet(terminal)
            os.write(terminal, answers[asked].encode() + b"\n")
        else:
            os.write(terminal, b"\x03")
        asked += 1
    shown = shown[-len(question):]
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(code if asked == len(answers) else 99)
