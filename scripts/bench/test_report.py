"""Tests of the benchmark's arithmetic and of what it says about figures. Run by scripts/check.sh; measures nothing."""

import json
import pathlib
import sys
import tempfile
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import backlog
import clients
import counting
import goals
import machine
import pace
import plot
import report
import results
import side_by_side
import standstill
import stolen
import steady
import summary
import tables
import takeover
import turns
import witness
import workloads


def data(**groups):
    """Results with the given runs: group=[(row, broker, values)]."""
    return {"machine": {"cores": 2}, "versions": {}, "groups": {
        group: {"began": "2026-01-01T00:00:00+00:00", "ended": "x", "rounds": 1,
                "runs": [{"row": row, "broker": broker, "round": 1, "at": "x", "values": values} for row, broker, values in runs]}
        for group, runs in groups.items()}}


class Arithmetic(unittest.TestCase):
    def test_median_of_odd_even_and_nothing(self):
        self.assertEqual(summary.median([3, 1, 2]), 2)
        self.assertEqual(summary.median([4, 1, 2, 3]), 2.5)
        self.assertIsNone(summary.median([]))

    def test_percentile_is_a_value_that_occurred(self):
        hundred = list(range(1, 101))
        self.assertEqual(summary.percentile(hundred, 50), 50)
        self.assertEqual(summary.percentile(hundred, 99), 99)
        self.assertEqual(summary.percentile(hundred, 99.9), 100)
        self.assertEqual(summary.percentile([7], 1), 7)
        self.assertIsNone(summary.percentile([], 50))

    def test_ratio_needs_both(self):
        self.assertEqual(summary.ratio(10, 4), 2.5)
        self.assertIsNone(summary.ratio(10, None))
        self.assertIsNone(summary.ratio(10, 0))
        self.assertIsNone(summary.ratio(None, 4))

    def test_line_through_points(self):
        slope, start = summary.fitted_line([(0, 1), (1, 3), (2, 5)])
        self.assertAlmostEqual(slope, 2)
        self.assertAlmostEqual(start, 1)
        self.assertIsNone(summary.fitted_line([(1, 1), (1, 5)]))


class Goals(unittest.TestCase):
    ratio_goal = workloads.Goal("send", "1 producer", "per_second", 2, against="activemq", text=">= 2x")

    def judge(self, ours, theirs, disk=20_000.0, client_us=100.0, goal=None):
        floor = {"direct_dsync": {"per_second": disk, "p50": 90.0, "p99": 100.0}, "append_fdatasync": {"per_second": disk, "p50": 1, "p99": 1, "p99.9": 1}}
        return goals.judge(data(send=[("1 producer", "holdfast", {"per_second": ours, "client_us": client_us}),
                                      ("1 producer", "activemq", {"per_second": theirs}), ("1 producer", "disk", floor)]), [goal or self.ratio_goal])[0]

    def test_reached_and_missed(self):
        self.assertEqual(self.judge(5000, 2000).word, "yes")
        self.assertEqual(self.judge(3999, 2000).word, "no")
        self.assertEqual(self.judge(4000, 2000).word, "yes")

    def test_a_floor_is_named_only_when_it_forbids(self):
        self.assertEqual(self.judge(3000, 2000).why, "no floor forbids it")
        self.assertIn("the disk alone", self.judge(3000, 2000, disk=3500.0).why)
        self.assertIn("client's CPU", self.judge(3000, 2000, client_us=600.0).why)

    def test_the_one_consumer_of_a_drain_may_be_the_floor(self):
        goal = workloads.Goal("drain", "some", "per_second", 8, against="activemq")
        judge = lambda thread_us: goals.judge(data(drain=[("some", "holdfast", {"per_second": 100_000, "client_us": 8.0, "thread_us": thread_us}),
                                                          ("some", "activemq", {"per_second": 20_000})]), [goal])[0].why
        self.assertEqual(judge(5.0), "no floor forbids it")
        self.assertIn("can take 125,000/s, 160,000 are wanted", judge(8.0))

    def test_the_bare_broker_is_a_floor_where_it_stays_below_the_goal(self):
        rate = workloads.Goal("slowdisk", "64", "per_second", 30_000)
        p99 = workloads.Goal("slowdisk", "64", "latency_us.p99", 4000, False)
        values = lambda speed, late: {"per_second": speed, "latency_us": {"p99": late}}
        judge = lambda *bare: [verdict.why for verdict in goals.judge(data(slowdisk=[("64", "holdfast", values(25_000, 5000)), ("64", "bare", values(*bare))]), [rate, p99])]
        below, above = judge(29_000, 4200), judge(31_000, 3900)
        self.assertIn("had 29,000/s, at best 29,000/s, in the minutes beside it: that is the floor", below[0])
        self.assertIn("had 4,200 us, at best 4,200 us, in the minutes beside it: that is the floor", below[1])
        self.assertTrue(above[0].endswith("had 31,000/s, at best 31,000/s, in the minutes beside it: no floor forbids it") and above[1].endswith("at best 3,900 us, in the minutes beside it: no floor forbids it"), above)

    def test_the_bare_broker_is_no_floor_where_one_run_of_ours_was_better(self):
        goal = workloads.Goal("slowdisk", "64", "per_second", 30_000)
        runs = [("64", "holdfast", {"per_second": speed}) for speed in (25_000, 26_000, 29_500)] + [("64", "bare", {"per_second": 29_000})]
        why = goals.judge(data(slowdisk=runs), [goal])[0].why
        self.assertTrue(why.endswith("at best 29,000/s, in the minutes beside it, a run of ours 29,500/s: no floor forbids it"), why)
        goal = workloads.Goal("slowdisk", "64", "latency_us.p99", 4000, False)
        runs = [("64", broker, {"latency_us": {"p99": late}}) for broker, late in (("holdfast", 4100), ("holdfast", 5000), ("bare", 4200))]
        self.assertTrue(goals.judge(data(slowdisk=runs), [goal])[0].why.endswith("a run of ours 4,100 us: no floor forbids it"))

    def test_late_writes_of_the_disk_alone_may_be_the_floor(self):
        goal = workloads.Goal("steady", "70", "latency_us.p99.99", 10_000, False)
        late = lambda value: {"latency_us": {"p99.99": value}}
        judge = lambda raw: goals.judge(data(steady=[("70", "holdfast", late(30_000)), ("70", "raw disk", late(raw))]), [goal])[0].why
        self.assertIn("never had less than 12,000 us in the minutes beside it: that is the floor", judge(12_000))
        self.assertEqual(judge(9_000), "no floor forbids it")
        self.assertEqual(judge(31_000), "no floor forbids it", "ours was quicker than the disk in its minutes")
        runs = [("70", broker, late(value)) for broker, value in (("holdfast", 30_000), ("raw disk", 12_000), ("bare", 9_000))]
        self.assertTrue(goals.judge(data(steady=runs), [goal])[0].why.endswith("no floor forbids it"), "the bare broker was")

    def test_standstills_of_the_machine_may_be_the_floor(self):
        goal = workloads.Goal("steady", "70", "latency_us.p99.99", 10_000, False)
        late = lambda value: {"latency_us": {"p99.99": value}}
        judge = lambda stood: goals.judge(data(steady=[("70", "holdfast", late(30_000)), ("70", "standstill", late(stood)), ("70", "bare", late(8_000))]), [goal])[0].why
        self.assertIn("could have had less than 12,000 us: that is the floor", judge(12_000))
        self.assertIn("the machine's standstills alone would make 7,000 us: no floor forbids it", judge(7_000))

    def test_what_the_disk_did_to_a_witness_is_no_floor(self):
        late = workloads.Goal("steady", "70", "latency_us.p99.99", 10_000, False)
        worst = workloads.Goal("steady", "70", "worst_of_median", 0.5)
        runs = [("70", "holdfast", {"latency_us": {"p99.99": 30_000}, "worst_of_median": 0.2}), ("70", "witness", {"latency_us": {"p99.99": 20_000}, "worst_of_median": 0.3})]
        for goal in (late, worst):
            verdict = goals.judge(data(steady=runs), [goal])[0]
            self.assertEqual((verdict.reached, verdict.why), (False, "no floor forbids it"), "it may have waited behind our own writes")

    def test_a_witness_bounds_what_producers_who_wait_can_send(self):
        quick = [(at / 100, 0.001) for at in range(300)]
        self.assertAlmostEqual(witness.could_send(quick, 1, 8), 8_000)
        slow = [(at / 100, 0.01 if 100 <= at < 150 else 0.001) for at in range(300)]
        self.assertAlmostEqual(witness.could_send(slow, 1, 8), 4_400, msg="half a second at a tenth of the speed")
        stalled = [(0.5, 0.001), (1.2, 0.7), (1.9, 0.001), (2.5, 0.001)]
        self.assertAlmostEqual(witness.could_send(stalled, 1, 8), 8 * (0.2 / 0.001 + 0.7 / 0.7 + 0.1 / 0.001), msg="what it leaves before and after")
        self.assertIsNone(witness.could_send(quick, 7, 8))

    def test_a_witness_stalls_count_by_their_length(self):
        writes = [(0, 0.0001), (1, 5.0), (7, 0.0019)]
        self.assertAlmostEqual(witness.stalls_us(writes, 10, 0.9), 4e6)
        self.assertEqual(witness.stalls_us(writes[::2], 10, 0.9999), 0, "short ones do not count")

    def test_a_witness_that_may_not_go_before_all_others_says_nothing(self):
        with tempfile.TemporaryDirectory() as directory:
            with unittest.mock.patch.object(sys, "executable", "/bin/false"):
                meter = witness.Meter(directory)
            self.assertIsNone(meter.end())

    def test_a_witness_is_asked_for_our_worst_second(self):
        run = {"series": {"received": [100, 100, 10, 100, 3]}, "measured_from": 1000.0, "rate": 100}
        writes = [(1000 + at / 100, 0.25 if 200 <= at < 300 else 0.001) for at in range(500)]
        found = steady.witnessed(writes, 5, run)
        self.assertAlmostEqual(found["worst_of_median"], 8 / 0.25 / 100, msg="the last second is cut off by the end")
        self.assertEqual((len(found["stalls"]), found["stalls"][0]), (100, [2.0, 0.25]))

    def test_a_bare_broker_that_took_turns_is_the_floor_where_it_missed_the_goal_too(self):
        goal = workloads.Goal("steady", "70", "latency_us.p99.99", 10_000, False, beside="70, in turn")
        late = lambda value, *each: {"latency_us": {"p99.99": value}, "turns_us": each}
        judge = lambda bare: goals.judge(data(steady=[("70", "holdfast", late(30_000)), ("70", "bare", late(1)),
                                                      ("70, in turn", "holdfast", late(14_000, 9_000, 20_000, 8_000)), ("70, in turn", "bare", bare)]), [goal])[0].why
        self.assertEqual(judge(late(15_000, 12_000, 11_000, 7_000)), "in turn with ours a broker that only reads, syncs and answers had 15,000 us, "
                         "ours there 14,000 us, the later one in 2 of 3 turns: that is the floor")
        self.assertTrue(judge(late(9_900, 12_000, 1, 9_000)).endswith("the later one in 1 of 3 turns: no floor forbids it"), "it did not miss it")
        self.assertTrue(judge(late(15_000, 1, 1, 7_000)).endswith("the later one in 3 of 3 turns: no floor forbids it"), "ours adds to it")

    def test_turns_count_together(self):
        turn = lambda rate, *counts: {"messages": 3, "seconds": 2.0, "client_cpu_seconds": 1, "cpu_seconds": 4, "per_second": rate, "said": {"send_latency_counts": counts}}
        found = turns.together([turn(5, (100, 98), (900, 1)), turn(7, (100, 99), (400, 2)), turn(6)])
        self.assertEqual((found["messages"], found["seconds"], found["cpu_seconds"], found["per_second"]), (9, 6.0, 12, 6))
        self.assertEqual((found["latency_us"]["p50"], found["latency_us"]["p99"], found["latency_us"]["p99.9"]), (100, 400, 900))

    def test_late_seconds_are_told_of_both_and_of_each_alone(self):
        self.assertEqual(side_by_side.late_seconds([11_000, 9_000, 30_000, 12_000], [10_001, 9_000, 10_000, 8_000]), [{"both": 1, "alone": 2}, {"both": 1, "alone": 0}])

    def test_a_slow_second_is_the_machines_where_its_host_took_the_processors(self):
        goal = workloads.Goal("steady", "70", "worst_of_median", 0.5)
        series = {side: [100, 100, 20, 100, 60, 100] for side in ("received", "sent")}
        def judge(*taken, beside=()):
            run = {"worst_of_median": 0.2, "series": series, "stolen": {"series": taken}}
            return goals.judge(data(steady=[("70", "holdfast", run), *((side_by_side.ROW, broker, {"worst_of_median": worst}) for broker, worst in beside)]), [goal])[0].why
        self.assertEqual(judge(0, 0.3, 0.4, 0, 0.07), "in 1 slow seconds the host took 40% to 40% of the processors away, "
                         "in the 3 of 5 seconds in which it took less than 8% the worst had 0.60: that is the floor")
        self.assertTrue(judge(0, 0.3, 0.07, 0, 0.3).endswith("the worst had 0.20: no floor forbids it"), "it was slow on a quiet machine")
        self.assertTrue(judge(0, 0.3, None, 0, 0.3).endswith("the worst had 0.20: no floor forbids it"), "nobody knows what the host did")
        self.assertTrue(judge(0, 0, 0.4, 0, 0, beside=[("holdfast", 0.4), ("bare", 0.6)]).endswith("had 0.60, ours there 0.40: no floor forbids it"), "only ours is slow")
        self.assertTrue(judge(0, 0, 0.4, 0, 0, beside=[("holdfast", 0.4), ("bare", 0.3)]).endswith("ours there 0.40: that is the floor"))

    def test_each_group_is_told_of_the_machine_it_was_measured_on(self):
        known = data(send=[], steady=[], drain=[])
        self.assertEqual(report._machines(known, ["send", "steady"]), "- cores: 2")
        known["groups"]["steady"]["machine"] = {"cores": 4, "free_gib": 7}
        self.assertEqual(report._machines(known, ["send", "steady", "drain"]), "Of send, drain:\n\n- cores: 2\n\nOf steady:\n\n- cores: 4")

    def test_a_group_keeps_the_machine_it_was_measured_on(self):
        with tempfile.TemporaryDirectory() as directory:
            known = results.Results(pathlib.Path(directory) / "results.json")
            for cores, group in [(2, "send"), (4, "steady")]:
                known.describe({"cores": cores}, {})
                known.begin(group, 1)
        self.assertEqual([known.data["groups"][group]["machine"]["cores"] for group in ("send", "steady")], [2, 4])

    def test_what_the_host_took_is_read_from_the_line_of_all_processors(self):
        ticks = machine.parse_ticks("cpu  10 1 20 60 2 0 3 4 50 60\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
        with unittest.mock.patch.object(machine, "cpu_ticks", lambda: ticks):
            seen = stolen.Meter().end()
        self.assertEqual([one[1:] for one in seen], [(4, 100), (4, 100)])
        self.assertEqual(stolen.share([(0, 10, 100), (1, 15, 150), (2, 40, 200)]), 0.3)

    def test_what_the_host_took_is_told_of_our_latest_seconds(self):
        seen = [(100.4 + second, stolen_by_then, 200 * second) for second, stolen_by_then in enumerate([0, 9, 9, 109, 109])]
        run = {"series": {"send_p99_us": [1, 2, 90_000, 3]}, "measured_from": 101}
        self.assertEqual(stolen.by_second(seen, 101, 4), [0.018, 0.3, 0.2, None], "in proportion to the steps it lies in")
        self.assertEqual(pace.taken_away(seen, {**run, "series": {"send_p99_us": [1, 90_000, 2, 3]}})["series"], [0.018, 0.3, 0.2])
        late = list(range(100, 120))
        seen = [(101 + second, 20 * max(0, second - 10), 200 * second) for second in range(21)]
        found = pace.taken_away(seen, {**run, "series": {"send_p99_us": [*late, 0]}})
        self.assertEqual((found["share"], found["latest_seconds"]), (0.05, 0.1))

    def test_standstills_are_common_to_all_processors(self):
        self.assertEqual(standstill.together([[(1, 5), (8, 9)], [(4, 6), (7, 8)]]), [(4, 5)])
        self.assertEqual(standstill.together([[(1, 5)]]), [(1, 5)])
        self.assertEqual(standstill.together([[(1, 5)], [], [(1, 5)]]), [])

    def test_standstills_bound_a_percentile_from_below(self):
        bound = lambda lengths, share=0.9: round(standstill.latency_us([(0, length) for length in lengths], 10, share) / 1e6, 6)
        self.assertEqual(bound([5]), 4, "a tenth of ten seconds may be later than that")
        self.assertEqual(bound([5, 3]), 4, "the shorter one has none that are so late")
        self.assertEqual(bound([5, 5]), 4.5)
        self.assertEqual(bound([0.5, 0.4]), 0, "fewer than a tenth were due while it stood still")
        self.assertEqual(bound([]), 0)

    def test_client_round_and_disk_together_may_be_the_floor(self):
        goal = workloads.Goal("send", "1 producer", "per_second", 2, against="activemq")
        disk = {"append_fdatasync": {}, "direct_dsync": {"per_second": 9000.0, "p50": 100.0, "p99": 200.0}}
        judge = lambda echo: goals.judge(data(send=[("1 producer", "holdfast", {"per_second": 5000}), ("1 producer", "activemq", {"per_second": 2800}),
                                                    ("1 producer", "disk", disk), ("1 producer", "echo", {"per_second": echo})]), [goal])[0].why
        self.assertIn("allow 5,556/s, 5,600 are wanted: that is the floor", judge(12_500))
        self.assertEqual(judge(14_000), "no floor forbids it")

    def test_client_and_bare_broker_together_may_be_the_floor(self):
        goal = workloads.Goal("drain", "some", "per_second", 8, against="activemq")
        judge = lambda bare_us: goals.judge(data(drain=[("some", "holdfast", {"per_second": 100_000, "client_us": 8.0}), ("some", "activemq", {"per_second": 20_000}),
                                                        ("some", "bare", {"per_second": 170_000, "cpu_us": bare_us})]), [goal])[0].why
        self.assertIn("allow 153,846/s, 160,000 are wanted: that is the floor", judge(5.0))
        self.assertTrue(judge(4.0).endswith("in the minutes beside it, 160,000/s are wanted: no floor forbids it"), judge(4.0))

    def test_not_measured_is_not_missed(self):
        verdict = goals.judge(data(), [self.ratio_goal])[0]
        self.assertEqual((verdict.reached, verdict.word), (None, "not measured"))

    def test_the_table_of_goals_gives_units(self):
        found = data(takeover=[("SIGKILL", "holdfast", {"pause_ms": 43.4})], latency=[("one", "holdfast", {"latency_us": {"p99": 380.0}})],
                     backlog=[("many", "holdfast", {"rss_kib": 2048})], own=[("4", "holdfast", {"per_second": 614_037.0}), ("4", "activemq", {"per_second": 307_018.5})],
                     steady=[("70", "holdfast", {"worst_of_median": 0.987})])
        limits = [("takeover", "SIGKILL", "pause_ms"), ("latency", "one", "latency_us.p99"), ("backlog", "many", "rss_kib"), ("own", "4", "per_second"),
                  ("steady", "70", "worst_of_median"), ("send", "none", "per_second")]
        asked = [workloads.Goal(*limit, 1) for limit in limits] + [workloads.Goal("own", "4", "per_second", 1, against="activemq")]
        shown = [line[2] for line in goals.goals_table(goals.judge(found, asked))[1:]]
        self.assertEqual(shown, ["43 ms", "380 us", "2.00 MiB", "614,037/s", "0.99", "-", "2.00x"])

    def test_p99_and_beyond(self):
        runs = [("SIGKILL", "holdfast", {"pause_ms": float(value)}) for value in range(1, 101)] + [("more", "holdfast", {"pause_ms": 90.5})]
        at_p99 = workloads.Goal("takeover", "SIGKILL", "pause_ms", 98, False, "p99")
        beyond = workloads.Goal("takeover", "more", "pause_ms", 40, False, beyond="SIGKILL")
        found = goals.judge(data(takeover=runs), [at_p99, beyond])
        self.assertEqual((found[0].value, found[0].reached), (99, False))
        self.assertEqual((found[1].value, found[1].reached), (40, True))

    def test_losses_name_what_is_worse_and_nothing_else(self):
        lines = goals.losses(data(send=[("1 producer", "holdfast", {"per_second": 10, "cpu_us": 5.0}), ("1 producer", "activemq", {"per_second": 20, "cpu_us": 50.0})]))
        self.assertEqual([line[1] for line in lines[1:]], ["messages/s"])
        self.assertEqual(lines[1][4], "no")

    def test_every_goal_names_a_row_that_exists(self):
        special = {"takeover", "startup", "backlog", "steady", "proof"}
        rows = {(row.group, row.name) for row in workloads.ROWS}
        for goal in workloads.GOALS:
            self.assertIn(goal.group, workloads.GROUPS)
            self.assertTrue(goal.group in special or (goal.group, goal.row) in rows, goal)
        self.assertIn(f"{backlog.LARGE:,} queued", {goal.row for goal in workloads.GOALS})


class Tables(unittest.TestCase):
    runs = data(send=[("1 producer", "holdfast", {"per_second": 5000.0, "latency_us": {"p50": 100.0, "p99": 200.0, "p99.9": 300.0}, "cpu_us": 20.0,
                                                  "client_us": 90.0, "hwm_kib": 20480, "syncs_per_message": 1.0}),
                      ("1 producer", "holdfast", {"per_second": 6000.0, "latency_us": {"p50": 110.0, "p99": 210.0, "p99.9": 310.0}, "syncs_per_message": None}),
                      ("1 producer", "activemq", {"per_second": 2750.0, "latency_us": None})])

    def test_main_table(self):
        header, ours, theirs = tables.main_table(self.runs, "send")
        self.assertEqual(ours, ["1 producer", "holdfast", "5,500 (5,000 - 6,000)", "105 / 205 / 305", "20.0", "90.0", "20", "1.000", "2.00"])
        self.assertEqual(theirs, ["1 producer", "activemq", "2,750", "-", "-", "-", "-", "not counted", "1"])
        self.assertEqual(len(header), len(ours))

    def test_drawn_as_markdown_and_text(self):
        lines = [["a", "b|c"], ["1", "22"]]
        self.assertEqual(tables.as_markdown(lines), "| a | b\\|c |\n|---|---|\n| 1 | 22 |")
        self.assertEqual(tables.as_text(lines), "a  b|c\n1  22")

    def test_steps_and_slope(self):
        runs = data(takeover=[("SIGKILL", "holdfast", {"pause_ms": 40, "steps": {"replay_ms": 2.0 + mib, "replayed_mib": mib, "total_ms": 9.0}}) for mib in (1, 2, 3)])
        self.assertEqual(tables.step_table(runs)[0], ["step, ms (median)", "SIGKILL"])
        slope, start, count = tables.replay_slope(runs)
        self.assertAlmostEqual(slope, 1)
        self.assertAlmostEqual(start, 2)
        self.assertEqual(count, 3)


class Reading(unittest.TestCase):
    def test_a_run_that_moved_nothing_is_a_failure(self):
        said = {"sent": 0, "received": 5, "foreign": 0, "seconds": 1.0, "send_latency_us": None, "send_per_second": 0.0, "receive_per_second": 5.0}
        self.assertEqual(clients._moved(clients._figures(said, {}), ["bench"])["messages"], 5)
        with self.assertRaisesRegex(clients.Failed, "bench moved no message"):
            clients._moved(clients._figures(said, {"consumers": 0}), ["bench"])

    def test_a_pause_belongs_to_the_kill_that_it_spans(self):
        gaps = takeover.read_gaps("gap 40.5 ms until 1030\ngap 12.0 ms until 1500\nsend error x\ngap 70.0 ms until 990\n")
        self.assertEqual(takeover.pause_across(1000, 4000, gaps), (40.5, 1030))
        self.assertIsNone(takeover.pause_across(2000, 4000, gaps))

    def test_perf_output(self):
        self.assertEqual(counting._parse("# x\n12;;syscalls:sys_enter_fsync;1;100.00;;\n<not counted>;;syscalls:sys_enter_msync;0;;\n"), {"fsync": 12, "msync": 0})
        for text in ("", "<not supported>;;syscalls:sys_enter_fsync;0;;\n"):
            self.assertRaises(ValueError, counting._parse, text)

    def test_worst_second_leaves_the_last_one_out(self):
        found = pace.judge({"sent": [10, 10, 10, 3], "received": [10, 4, 12, 1]})
        self.assertEqual((found["median_second"], found["worst_second"], found["worst_of_median"]), (10, 4, 0.4))

    def test_a_rate_is_kept_up_with_when_nothing_is_left_behind(self):
        good = {"received": [100, 99, 101, 100, 3], "send_p99_us": [900, 900, 900, 900, 1]}
        self.assertTrue(steady.keeps_up(good, 100))
        self.assertFalse(steady.keeps_up(good, 102), "too few came through")
        self.assertFalse(steady.keeps_up({**good, "send_p99_us": [900, 900, 200_000, 400_000, 1]}, 100), "it falls behind")
        self.assertFalse(steady.keeps_up({**good, "send_p99_us": [900, 200_000, 900, 900, 1]}, 100), "it fell behind for a second")
        self.assertFalse(steady.keeps_up({"received": [100], "send_p99_us": [1]}, 100), "nothing was measured")


class Files(unittest.TestCase):
    def test_results_survive_writing_and_reading(self):
        with tempfile.TemporaryDirectory() as folder:
            first = results.Results(f"{folder}/deep/results.json")
            first.describe({"cores": 2}, {"holdfast": "1"})
            first.begin("send", 5)
            first.add("send", "1 producer", "holdfast", 1, {"per_second": 1})
            first.add("send", "1 producer", "artemis", 1, error="it broke")
            first.end("send")
            again = results.Results(f"{folder}/deep/results.json")
            self.assertEqual(again.data, first.data)
            again.begin("send", 5)
            self.assertEqual(again.data["groups"]["send"]["runs"], [])

    def test_report_names_what_is_missing_and_fills_every_place(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(report.write(Tables.runs, pathlib.Path(folder)), 0)
            page = pathlib.Path(folder, "BENCHMARKS.md").read_text()
            self.assertNotRegex(page, r"@[A-Z]+@")
            self.assertIn("| send: 1 producer | >= 2x ActiveMQ | 2.00x | yes |", page)
            self.assertIn("Not measured in this run: disk, own,", page)
            self.assertEqual(json.loads(pathlib.Path(folder, "benchmarks/results.json").read_text()), Tables.runs)
            self.assertIn("<svg", pathlib.Path(folder, "benchmarks/send.svg").read_text())
            self.assertEqual(report.write(data(), pathlib.Path(folder)), 65)

    def test_plots_need_something_to_draw(self):
        self.assertIsNone(plot.bars("x", "y", []))
        self.assertIsNone(plot.lines("x", "y", {"a": []}))
        self.assertIn("a &amp; b", plot.bars("a & b", "y", [("row", [("holdfast", 5, 4, 6)])]))
        self.assertIn("polyline", plot.lines("x", "y", {"a": [1, 2, 3]}, [(1, "checkpoint")]))


if __name__ == "__main__":
    unittest.main()
