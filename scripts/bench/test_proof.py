#!/usr/bin/env python3
"""Tries the proof on traces made by hand: honest brokers must pass, and every way of lying must be caught.

    python3 scripts/bench/test_proof.py

No broker and no strace are needed. Not tried: whether strace itself is right.
"""

import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from proof_fakes import (  # noqa: E402
    CLIENT, COMMITTER, DATA, JOURNAL, SEGMENT, SOCKET, Trace, end_of_transaction, message, quoted, record, response,
    short_record, wire_format)
from proof_judge import Judge  # noqa: E402
from proof_wire import Unreadable  # noqa: E402
from trace import events, unescape  # noqa: E402


class Case(unittest.TestCase):
    def passes(self, trace, answered):
        report = trace.judge()
        self.assertTrue(report["proven"], report)
        self.assertEqual((report["answered"], report["covered"]), (answered, answered))
        return report

    def fails(self, trace, why=None, uncovered=1):
        report = trace.judge()
        self.assertFalse(report["proven"], report)
        self.assertEqual(report["uncovered_count"], uncovered, report)
        if why:
            self.assertIn(why, report["uncovered"][0]["why"])
        return report


class Honest(Case):
    def test_one_send(self):
        trace = Trace()
        trace.receive(message(5, "a"))
        trace.commit(record("a"))
        trace.send(response(5))
        report = self.passes(trace, 1)
        self.assertEqual((report["syncs"], report["bytes_written_per_message"]), (1, 4096))
        self.assertEqual(report["lock_checks"], {"made": 1, "unverified_count": 0, "unverified": []})

    def test_many_messages_under_one_sync(self):
        trace = Trace()
        trace.receive(*(message(n, f"m{n}") for n in range(5, 15)))
        trace.commit(*(record(f"m{n}") for n in range(5, 15)))
        trace.send(b"".join(response(n) for n in range(5, 15)))
        self.assertEqual(self.passes(trace, 10)["syncs_per_message"], 0.1)

    def test_interrupted_calls_of_several_threads(self):
        trace = Trace()
        data = message(5, "a")
        trace.begin(CLIENT, f"recvfrom({SOCKET}, ")
        trace.begin(9, "fsync(30</d/index/x>")
        trace.end(CLIENT, "recvfrom", len(data), f"{quoted(data)}, 32768, 0, NULL, NULL")
        batch = trace.batches.next(record("a"))
        trace.begin(COMMITTER, trace.write_begin(batch))
        trace.end(9, "fsync", 0)
        trace.call(CLIENT, f"recvfrom({SOCKET}, 0x7f00, 32768, 0, NULL, NULL",
                   "-1 EAGAIN (Resource temporarily unavailable)")
        trace.end(COMMITTER, "pwrite64", len(batch))
        trace.begin(COMMITTER, f'statx(AT_FDCWD</>, "{DATA}/lock", 0, STATX_ALL, ')
        trace.begin(9, "fsync(30</d/index/x>")
        trace.end(COMMITTER, "statx", 0, "{stx_mask=STATX_ALL}")
        trace.begin(COMMITTER, f"sendto({SOCKET}, {quoted(response(5))}, 14, MSG_NOSIGNAL, NULL, 0")
        trace.end(9, "fsync", 0)
        trace.end(COMMITTER, "sendto", 14)
        self.passes(trace, 1)

    def test_frames_cut_anywhere(self):
        data, answer = message(5, "a") + message(6, "b"), response(5) + response(6)
        for cut in range(1, len(data)):
            trace = Trace()
            trace.receive(data[:cut])
            trace.receive(data[cut:])
            trace.commit(record("a"), record("b"))
            trace.send(answer, taken=cut % len(answer) or 1)
            trace.send(answer[cut % len(answer) or 1:])
            self.passes(trace, 2)

    def test_plain_write_and_sync(self):
        trace = Trace(flags="O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0666")
        trace.receive(message(5, "a"))
        trace.write(record("a"))
        trace.call(COMMITTER, f"fdatasync({JOURNAL}", 0)
        trace.look_at_lock()
        trace.send(response(5))
        self.passes(trace, 1)

    def test_vectored_write_and_answer(self):
        trace = Trace()
        trace.receive(message(5, "a"))
        data = trace.batches.next(record("a"))
        trace.call(COMMITTER, f"pwritev({JOURNAL}, [{{iov_base={quoted(data[:48])}, iov_len=48}}, "
                              f"{{iov_base={quoted(data[48:])}, iov_len={len(data) - 48}}}], 2, 4096", len(data))
        trace.look_at_lock()
        answer = response(5)
        trace.call(COMMITTER, f"writev({SOCKET}, [{{iov_base={quoted(answer[:4])}, iov_len=4}}, "
                              f"{{iov_base={quoted(answer[4:])}, iov_len=10}}], 2", 14)
        self.passes(trace, 1)

    def test_transaction(self):
        trace = Trace()
        trace.receive(message(5, "a", wants_answer=False, under=3), message(6, "b", wants_answer=False, under=3),
                      end_of_transaction(7, 3))
        trace.commit(record("a"), record("b"))
        trace.send(response(7))
        self.assertEqual(self.passes(trace, 2)["by_queue"]["q"]["syncs"], 1)

    def test_spilled_transaction(self):
        trace = Trace()
        trace.receive(message(5, "a", wants_answer=False, under=3), end_of_transaction(7, 3))
        tag = struct.pack("<Q", 77)
        trace.commit(record("a", before=b"\x0a" + tag))
        trace.commit(short_record(b"\x0b", tag))
        trace.send(response(7))
        self.passes(trace, 1)

    def test_batches_that_return_out_of_order(self):
        trace = Trace()
        trace.receive(message(5, "a"), message(6, "b"))
        first, second = trace.batches.next(record("a")), trace.batches.next(record("b"))
        trace.write(data=second)
        trace.write(data=first)
        trace.look_at_lock()
        trace.send(response(5) + response(6))
        self.passes(trace, 2)

    def test_what_is_no_promise_is_not_counted(self):
        trace = Trace()
        trace.receive(message(5, "a"), message(6, "lost on purpose", persistent=False), message(7, "refused"),
                      message(8, "rolled back", wants_answer=False, under=4), end_of_transaction(9, 4, what=4),
                      end_of_transaction(10, 4))
        trace.send(response(6) + response(7, kind=31) + response(9) + response(10))
        trace.commit(record("a"))
        trace.send(response(5))
        self.passes(trace, 1)

    def test_an_answer_that_was_offered_early_and_not_taken(self):
        trace = Trace()
        trace.receive(message(5, "a"), message(6, "b"))
        trace.commit(record("a"))
        trace.send(response(5) + response(6), taken=14)
        trace.commit(record("b"))
        trace.send(response(6))
        self.passes(trace, 2)

    def test_a_message_that_compaction_moves(self):
        trace = Trace()
        trace.receive(message(5, "a"))
        trace.commit(record("a"))
        trace.send(response(5))
        trace.commit(record("a"))
        self.assertEqual(self.passes(trace, 1)["syncs"], 1)

    def test_the_same_message_sent_again(self):
        trace = Trace()
        trace.receive(message(5, "a"))
        trace.commit(record("a"))
        trace.receive(message(5, "a"))
        trace.send(response(5))
        self.passes(trace, 1)


class Lying(Case):
    def sent(self, **options):
        trace = Trace(**options)
        trace.receive(message(5, "a"))
        return trace

    def test_an_answer_before_the_write_returned(self):
        trace = self.sent()
        data = trace.batches.next(record("a"))
        trace.begin(COMMITTER, trace.write_begin(data))
        trace.look_at_lock()
        trace.send(response(5), CLIENT)
        trace.end(COMMITTER, "pwrite64", len(data))
        self.fails(trace, "durable only from line")

    def test_an_answer_that_began_before_the_write_returned_and_ended_after(self):
        trace = self.sent()
        data = trace.batches.next(record("a"))
        trace.begin(COMMITTER, trace.write_begin(data))
        trace.begin(CLIENT, f"sendto({SOCKET}, {quoted(response(5))}, 14, MSG_NOSIGNAL, NULL, 0")
        trace.end(COMMITTER, "pwrite64", len(data))
        trace.look_at_lock()
        trace.end(CLIENT, "sendto", 14)
        self.fails(trace, "durable only from line")

    def test_an_answer_whose_first_byte_left_too_early(self):
        trace = self.sent()
        trace.send(response(5), taken=1)
        trace.commit(record("a"))
        trace.send(response(5)[1:])
        self.fails(trace, "durable only from line")

    def test_an_answer_whose_end_was_not_seen(self):
        trace = self.sent()
        trace.begin(CLIENT, f"sendto({SOCKET}, {quoted(response(5))}, 14, MSG_NOSIGNAL, NULL, 0")
        self.fails(trace, "never durable")

    def test_a_write_through_a_descriptor_that_is_not_synchronous(self):
        trace = self.sent(flags="O_RDWR|O_DIRECT|O_CLOEXEC")
        trace.commit(record("a"))
        trace.send(response(5))
        self.fails(trace, "never durable")

    def test_a_descriptor_that_became_another_file(self):
        trace = self.sent()
        trace.begin(9, f"close({JOURNAL}")
        trace.call(COMMITTER, f'openat(AT_FDCWD</>, "{SEGMENT}", O_RDWR|O_CLOEXEC', JOURNAL)
        trace.end(9, "close", 0)
        trace.commit(record("a"))
        trace.send(response(5))
        self.fails(trace, "never durable")

    def test_a_descriptor_of_unknown_flags(self):
        trace = self.sent()
        trace.begin(9, f"close({JOURNAL}")
        trace.end(9, "close", 0)
        trace.commit(record("a"))
        trace.send(response(5))
        self.fails(trace, "never durable")

    def test_a_write_beside_the_journal(self):
        trace = self.sent()
        elsewhere = "15</d/elsewhere>"
        trace.call(COMMITTER, 'openat(AT_FDCWD</>, "/d/elsewhere", O_RDWR|O_DSYNC', elsewhere)
        data = trace.batches.next(record("a"))
        trace.call(COMMITTER, trace.write_begin(data, elsewhere), len(data))
        trace.look_at_lock()
        trace.send(response(5))
        self.fails(trace, "never durable")

    def test_a_sync_that_ended_after_the_answer_began(self):
        trace = self.sent(flags="O_RDWR")
        trace.write(record("a"))
        trace.begin(COMMITTER, f"fdatasync({JOURNAL}")
        trace.look_at_lock()
        trace.send(response(5), CLIENT)
        trace.end(COMMITTER, "fdatasync", 0)
        self.fails(trace, "durable only from line")

    def test_a_sync_that_began_before_the_write_returned(self):
        trace = self.sent(flags="O_RDWR")
        data = trace.batches.next(record("a"))
        trace.begin(COMMITTER, trace.write_begin(data))
        trace.begin(9, f"fdatasync({JOURNAL}")
        trace.end(COMMITTER, "pwrite64", len(data))
        trace.end(9, "fdatasync", 0)
        trace.look_at_lock()
        trace.send(response(5))
        self.fails(trace, "never durable")

    def test_a_failed_sync_that_is_repeated(self):
        trace = self.sent(flags="O_RDWR")
        trace.write(record("a"))
        trace.call(COMMITTER, f"fdatasync({JOURNAL}", "-1 EIO (Input/output error)")
        trace.call(COMMITTER, f"fdatasync({JOURNAL}", 0)
        trace.look_at_lock()
        trace.send(response(5))
        self.assertIn("a sync of 1 writes ended with -1", self.fails(trace, "never durable")["doubts"][0])

    def test_a_missing_body(self):
        trace = self.sent()
        trace.commit(record("somebody else"))
        trace.send(response(5))
        self.fails(trace, "never durable")

    def test_one_record_for_two_messages(self):
        trace = self.sent()
        trace.receive(message(6, "b"))
        trace.commit(record("a"))
        trace.send(response(5) + response(6))
        self.assertEqual(self.fails(trace, "never durable")["covered"], 1)

    def test_a_torn_write(self):
        trace = self.sent()
        trace.write(record("a"), ret=2048)
        trace.look_at_lock()
        trace.send(response(5))
        self.assertIn("a write of 4096 bytes ended with 2048", self.fails(trace, "never durable")["doubts"][0])

    def test_a_failed_and_a_pretended_write(self):
        for ret in ("-1 EIO (Input/output error)", "4096 (INJECTED)", "?"):
            trace = self.sent()
            trace.write(record("a"), ret=ret)
            trace.look_at_lock()
            trace.send(response(5))
            self.fails(trace, "never durable")

    def test_a_batch_with_a_bad_checksum(self):
        trace = self.sent()
        data = bytearray(trace.batches.next(record("a")))
        data[32] ^= 1  # the clock: nothing but the checksum can tell
        trace.write(data=bytes(data))
        trace.look_at_lock()
        trace.send(response(5))
        self.fails(trace, "never durable")

    def test_a_batch_behind_one_that_is_missing(self):
        trace = self.sent()
        trace.batches.next(record("never written"))
        trace.commit(record("a"))
        trace.send(response(5))
        self.fails(trace, "never durable")

    def test_a_batch_of_another_chain(self):
        trace = self.sent()
        trace.batches.crc = 1
        trace.commit(record("a"))
        trace.send(response(5))
        self.fails(trace, "never durable")

    def test_half_of_a_transaction(self):
        trace = Trace()
        trace.receive(message(5, "a", wants_answer=False, under=3), message(6, "b", wants_answer=False, under=3),
                      end_of_transaction(7, 3))
        trace.commit(record("a"))
        trace.send(response(7))
        self.assertEqual(self.fails(trace, "never durable")["answered"], 2)

    def test_a_spilled_transaction_without_its_commit(self):
        for end in (b"", b"\x0c"):
            trace = Trace()
            trace.receive(message(5, "a", wants_answer=False, under=3), end_of_transaction(7, 3))
            tag = struct.pack("<Q", 77)
            trace.commit(record("a", before=b"\x0a" + tag))
            trace.commit(short_record(end or b"\x02", tag))
            trace.send(response(7))
            self.fails(trace, "never durable")

    def test_no_look_at_the_lock(self):
        for look in ("before", "during", "after", "never"):
            trace = self.sent()
            if look == "before":
                trace.look_at_lock()
            trace.write(record("a"))
            if look == "during":
                trace.begin(9, f'statx(AT_FDCWD</>, "{DATA}/lock", 0, STATX_ALL, ')
            trace.send(response(5))
            if look == "during":
                trace.end(9, "statx", 0, "{}")
            if look == "after":
                trace.look_at_lock()
            report = self.fails(trace, uncovered=0)
            self.assertEqual(report["lock_checks"]["unverified"], ["ID:c:1:1:5"], look)

    def test_a_failed_look_at_the_lock(self):
        trace = self.sent()
        trace.write(record("a"))
        trace.call(COMMITTER, f'statx(AT_FDCWD</>, "{DATA}/lock", 0, STATX_ALL, 0x7f00', "-1 ENOENT (No such file)")
        trace.send(response(5))
        self.assertEqual(self.fails(trace, uncovered=0)["lock_checks"]["unverified_count"], 1)

    def test_nothing_answered_proves_nothing(self):
        trace = self.sent()
        trace.commit(record("a"))
        self.fails(trace, uncovered=0)
        self.assertFalse(Judge(DATA).run([])["proven"])

    def test_two_messages_with_one_body(self):
        trace = self.sent()
        trace.receive(message(6, "a"))
        trace.commit(record("a"), record("a"))
        trace.send(response(5) + response(6))
        self.fails(trace, uncovered=2)


class Reading(unittest.TestCase):
    def test_other_forms_of_the_wire_are_refused_by_name(self):
        for what, client in (("TightEncodingEnabled", wire_format(tight=True)),
                             ("OpenWire 11", wire_format(version=11))):
            with self.assertRaisesRegex(Unreadable, what):
                Trace(client=client).judge()
        with self.assertRaisesRegex(Unreadable, "CacheEnabled"):
            Trace(client=wire_format(cache=True), broker=wire_format(cache=True)).judge()

    def test_a_conversation_that_was_cut_is_refused(self):
        trace = Trace()
        trace.call(CLIENT, f'recvfrom({SOCKET}, "abc"..., 32768, 0, NULL, NULL', 300)
        with self.assertRaisesRegex(Unreadable, "not traced whole"):
            trace.judge()

    def test_a_write_that_was_cut_does_not_count(self):
        trace = Trace()
        trace.receive(message(5, "a"))
        data = trace.batches.next(record("a"))
        trace.call(COMMITTER, f"pwrite64({JOURNAL}, {quoted(data[:300])}..., {len(data)}, 4096", len(data))
        trace.look_at_lock()
        trace.send(response(5))
        report = trace.judge()
        self.assertEqual((report["proven"], report["uncovered_count"]), (False, 1))

    def test_every_byte_survives_quoting(self):
        everything = bytes(range(256)) * 2 + b'0", 12) = 5 <unfinished ...>'
        self.assertEqual(unescape(quoted(everything)[1:-1]), everything)
        line = f"1  1.0 sendto({SOCKET}, {quoted(everything)}, {len(everything)}, 0, NULL, 0) = 3"
        call = [call for _, call in events([line])][0]
        self.assertEqual((call.data(), call.requested(), call.ret), (everything, len(everything), 3))
        self.assertEqual(call.fd(), (13, "TCP:[127.0.0.1:1->127.0.0.1:2]"))

    def test_places_follow_the_trace(self):
        lines = ["1 1.0 fsync(1</x> <unfinished ...>", "2 1.0 close(3</y>) = 0", "--- noise ---",
                 "1 1.0 <... fsync resumed>) = 0"]
        seen = [(kind, call.fd(), call.begin, call.end) for kind, call in events(lines)]
        self.assertEqual([one[:2] for one in seen],
                         [("begin", (1, "/x")), ("begin", (3, "/y")), ("end", (3, "/y")), ("end", (1, "/x"))])
        self.assertLess(seen[2][3], seen[3][3])
        self.assertLess(seen[3][2], seen[2][2])


if __name__ == "__main__":
    unittest.main()
