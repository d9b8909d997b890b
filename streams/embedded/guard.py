"""Runs one command that must not outlive the process that asked for it.

Started as a file by `process.GuardedProcess`, with nothing of this package imported:
`python -I -S guard.py COMMAND...`. Its standard input is a pipe whose other end only the asking
process holds: its end of file means that this process is gone, however it died. A pipe is used,
and not PR_SET_PDEATHSIG alone, since that signal comes when the *thread* that started the child
ends, and services are started from worker threads.

Prints the pid of the command, then mirrors its exit code.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from types import FrameType

# Also checked when the pipe says nothing: a process forked from the asking one may keep it open.
_PARENT_CHECK_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1


def _die_with_guard() -> Callable[[], None] | None:
    """Return what makes a child die with this process; Linux only, elsewhere signals do it."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    guard = os.getpid()

    def in_child() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != guard:
            os._exit(1)

    return in_child


def _wait(child: "subprocess.Popen[bytes]", parent: int, wakeup: int) -> int:
    """Wait for the command's end, or end it when the asking process is gone."""
    while (code := child.poll()) is None:
        readable, _, _ = select.select([0, wakeup], [], [], _PARENT_CHECK_SECONDS)
        if wakeup in readable:
            os.read(wakeup, 4096)
        if (0 in readable and not os.read(0, 4096)) or os.getppid() != parent:
            child.kill()
            return child.wait()
    return code


def main(command: list[str]) -> int:
    """Run the command under guard; return its exit code, 128 + n when signal n ended it."""
    parent = os.getppid()
    wakeup, wakeup_in = os.pipe()
    os.set_blocking(wakeup_in, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakeup_in, warn_on_full_buffer=False)
    child = subprocess.Popen(  # noqa: S603 - the command comes from this package
        command,
        stdin=subprocess.DEVNULL,
        stdout=2,
        # This process has a single thread, so a function between fork and exec is safe.
        preexec_fn=_die_with_guard(),  # noqa: PLW1509
    )

    def end_child(_signal: int, _frame: FrameType | None) -> None:
        child.kill()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end_child)
    with contextlib.suppress(BrokenPipeError):
        os.write(1, b"%d\n" % child.pid)
    code = _wait(child, parent, wakeup)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
