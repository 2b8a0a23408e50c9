"""System calls as strace saw them, in the order in which it saw them begin and end.

strace handles the stops of all threads one after the other, and a stopped thread goes on only when strace lets it. So
when the end of one call stands before the beginning of another in the trace, the first was over before the second did
anything; and what a thread does because another's call ended begins after that end in the trace. Places in the trace
are therefore compared, never clocks.

Understood is the output of `strace -f -ttt -y -yy`, with calls that others interrupt (`<unfinished ...>`) put together
again. What the calls mean is not known here.
"""

import ast
import re

_LINE = re.compile(r"(\d+)\s+\d+\.\d+ (.*)", re.S)
_START = re.compile(r"(\w+)\((.*)", re.S)
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)", re.S)
_RETURN = re.compile(r"(.*)\)\s+= (-?\d+|\?)(.*)", re.S)
_UNFINISHED = " <unfinished ...>"
_FD = re.compile(r"(\d+)<(.*?)>(?:\(deleted\))?(?:,|$)", re.S)
_LITERAL = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"(\.\.\.)?(?:, (?:iov_len=)?(\d+))?', re.S)
_ERROR = re.compile(r" (E[A-Z0-9]+)\b")


class Call:
    """One system call. `begin` and `end` are places in the trace: two to a line, so that a call's end is after its
    beginning even when both stand on one line."""

    __slots__ = ("name", "pid", "args", "begin", "end", "ret", "error", "injected", "_literals")

    def __init__(self, name, pid, args, begin):
        self.name, self.pid, self.args, self.begin = name, pid, args, begin
        self.end = self.ret = self.error = self._literals = None
        self.injected = False

    def finish(self, args, end, ret, tail):
        """Notes how it ended. `ret` is None when that was not seen; an injected end means that strace said so and the
        kernel did nothing."""
        self.args, self.end, self.ret, self._literals = args, end, ret, None
        error = _ERROR.match(tail)
        self.error = error and error.group(1)
        self.injected = "(INJECTED)" in tail

    def fd(self):
        """Number of the descriptor that is the first argument, and what strace says it is: a path, or `TCP:[...]`."""
        found = _FD.match(self.args)
        return (int(found.group(1)), found.group(2)) if found else (None, "")

    def text(self):
        """The first string among the arguments, such as a path."""
        return unescape(self._strings()[0][0]).decode(errors="replace") if self._strings() else ""

    def starts_with_zeros(self):
        """Whether the data begins with zeros: cheaper than reading a megabyte of them."""
        return bool(self._strings()) and self._strings()[0][0].startswith(r"\0\0\0\0")

    def data(self):
        """The bytes of a read, a write, or of all parts of a vectored one. Cut short if strace cut them."""
        return b"".join(unescape(raw) for raw, _, _ in self._strings())

    def is_cut(self):
        """Whether strace left bytes out because they were too many for its -s."""
        return any(cut for _, cut, _ in self._strings())

    def requested(self):
        """How many bytes the caller asked to write."""
        return sum(int(length or 0) for _, _, length in self._strings())

    def _strings(self):
        if self._literals is None:
            self._literals = _LITERAL.findall(self.args)
        return self._literals


def unescape(raw):
    """The bytes behind what strace printed between quotes: C's escapes are Python's."""
    return raw.encode("latin-1") if "\\" not in raw else ast.literal_eval(f'b"{raw}"')


def events(lines):
    """Yields (`begin` or `end`, call) in the order of the trace. A call that never ended ends last, with no result."""
    running = {}
    number = 0
    for number, line in enumerate(lines, 1):
        found = _LINE.match(line.rstrip("\n"))
        if not found:
            continue
        pid, rest = found.groups()
        resumed = _RESUMED.match(rest)
        if resumed:
            call = running.pop(pid, None)
            # A call that began before the trace did has no beginning to compare with.
            if call and _end(call, call.args + resumed.group(1), number):
                yield "end", call
            continue
        start = _START.match(rest)
        if not start:
            continue
        name, args = start.groups()
        call = Call(name, pid, args.removesuffix(_UNFINISHED), 2 * number)
        if args.endswith(_UNFINISHED):
            yield "begin", call
            running[pid] = call
        elif _end(call, args, number):
            yield "begin", call
            yield "end", call
    for call in running.values():
        call.finish(call.args, 2 * number + 3, None, "")
        yield "end", call


def _end(call, args, number):
    found = _RETURN.match(args)
    if not found:
        return False
    before, ret, tail = found.groups()
    call.finish(before, 2 * number + 1, None if ret == "?" else int(ret), tail)
    return True
