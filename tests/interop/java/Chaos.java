import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import javax.jms.*;
import org.apache.activemq.ActiveMQConnectionFactory;

/**
 * Sends and receives through `failover:` while somebody kills masters, and judges what came out.
 *
 * Args: URI queue seconds size mode(auto|client|tx:N) producers consumers. Every pause between two answered sends (or
 * commits) of one producer that is longer than 10 ms is printed with its end time, so that it can be matched with a kill.
 * An answered message must arrive; a duplicate must be flagged; of a committed batch all, of an in-doubt batch all
 * or none. Messages received before a failed commit of the consumer count as seen: the client cannot know.
 */
public class Chaos {
    static final Set<String> answered = ConcurrentHashMap.newKeySet();
    static final Set<String> inDoubt = ConcurrentHashMap.newKeySet();
    static final ConcurrentHashMap<String, AtomicInteger> seen = new ConcurrentHashMap<>();
    static final AtomicInteger sendErrors = new AtomicInteger(), duplicates = new AtomicInteger(), unmarked = new AtomicInteger(),
            outOfOrder = new AtomicInteger(), rolledBack = new AtomicInteger();
    static final AtomicLong longestGap = new AtomicLong();
    static final AtomicBoolean stop = new AtomicBoolean();
    static final AtomicInteger producersLeft = new AtomicInteger();

    public static void main(String[] a) throws Exception {
        String uri = a[0], queue = a[1], mode = a[4];
        int seconds = Integer.parseInt(a[2]), size = Integer.parseInt(a[3]);
        int producers = Integer.parseInt(a[5]), consumers = Integer.parseInt(a[6]);
        int batch = mode.startsWith("tx:") ? Integer.parseInt(mode.substring(3)) : 0;
        batchSize = Math.max(1, batch);
        List<Thread> threads = new ArrayList<>();
        producersLeft.set(producers);
        for (int p = 0; p < producers; p++) { int id = p; threads.add(start(() -> produce(uri, queue, id, size, batch))); }
        for (int c = 0; c < consumers; c++) threads.add(start(() -> consume(uri, queue, mode, batch, consumers == 1)));
        Thread.sleep(seconds * 1000L);
        stop.set(true);
        for (Thread thread : threads) thread.join();
        report();
    }

    interface Body { void run() throws Exception; }

    static Thread start(Body body) {
        Thread thread = new Thread(() -> { try { body.run(); } catch (Throwable e) { System.out.println("FAILED " + e); e.printStackTrace(System.out); System.exit(70); } });
        thread.start();
        return thread;
    }

    static void produce(String uri, String queue, int id, int size, int batch) throws Exception {
        Connection connection = new ActiveMQConnectionFactory(uri).createConnection();
        connection.start();
        Session session = connection.createSession(batch > 0, Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(session.createQueue(queue));
        byte[] body = new byte[size];
        long last = System.nanoTime();
        for (int n = 0; !stop.get(); ) {
            List<String> keys = new ArrayList<>();
            try {
                for (int i = 0; i < Math.max(1, batch); i++, n++) {
                    BytesMessage message = session.createBytesMessage();
                    message.writeBytes(body);
                    message.setIntProperty("p", id);
                    message.setIntProperty("n", n);
                    message.setIntProperty("batch", batch > 0 ? n / batch : -1);
                    keys.add(id + ":" + n);
                    producer.send(message);
                }
                if (batch > 0) session.commit();
                answered.addAll(keys);
                last = gap(last);
            } catch (TransactionRolledBackException e) {
                // The client says "rolled back", but a commit in doubt may stand: all or none, judged at the end.
                rolledBack.incrementAndGet();
                inDoubt.addAll(keys);
                n = (n + batch - 1) / batch * batch;
            } catch (JMSException e) {
                sendErrors.incrementAndGet();
                inDoubt.addAll(keys);
                System.out.println("send error " + e);
                if (batch > 0) n = (n + batch - 1) / batch * batch;
            }
        }
        connection.close();
        producersLeft.decrementAndGet();
    }

    static long gap(long last) {
        long now = System.nanoTime(), gap = now - last;
        longestGap.accumulateAndGet(gap, Math::max);
        if (gap > 10_000_000L) System.out.printf("gap %.1f ms until %d%n", gap / 1e6, System.currentTimeMillis());
        return now;
    }

    static void consume(String uri, String queue, String mode, int batch, boolean alone) throws Exception {
        Connection connection = new ActiveMQConnectionFactory(uri).createConnection();
        Session session = connection.createSession(batch > 0, mode.equals("client") ? Session.CLIENT_ACKNOWLEDGE : Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(session.createQueue(queue));
        connection.start();
        Map<Integer, Integer> lastOf = new HashMap<>();
        int uncommitted = 0;
        for (int idle = 0; idle < 3; ) {
            Message message = consumer.receive(1000);
            if (message == null) {
                if (producersLeft.get() == 0) idle++;
                if (uncommitted > 0) uncommitted = commit(session);
                continue;
            }
            idle = 0;
            note(message, alone ? lastOf : null);
            if (mode.equals("client")) message.acknowledge();
            if (batch > 0 && ++uncommitted == batch) uncommitted = commit(session);
        }
        connection.close();
    }

    static int commit(Session session) throws JMSException {
        try { session.commit(); } catch (JMSException e) { rolledBack.incrementAndGet(); session.rollback(); }
        return 0;
    }

    static void note(Message message, Map<Integer, Integer> lastOf) throws JMSException {
        if (!message.propertyExists("p")) return; // backlog that was there before
        int p = message.getIntProperty("p"), n = message.getIntProperty("n");
        boolean again = seen.computeIfAbsent(p + ":" + n, k -> new AtomicInteger()).incrementAndGet() > 1;
        if (again) duplicates.incrementAndGet();
        if (again && !message.getJMSRedelivered()) unmarked.incrementAndGet();
        if (lastOf == null || again || message.getJMSRedelivered()) return;
        Integer before = lastOf.put(p, n);
        if (before != null && before > n) outOfOrder.incrementAndGet();
    }

    static void report() {
        int lost = 0;
        for (String key : answered) if (!seen.containsKey(key)) lost++;
        int broken = inDoubt.isEmpty() ? 0 : brokenBatches();
        boolean good = lost == 0 && unmarked.get() == 0 && sendErrors.get() == 0 && broken == 0 && outOfOrder.get() == 0;
        System.out.printf("chaos %s answered=%d seen=%d in_doubt=%d lost=%d dups=%d dups_unmarked=%d out_of_order=%d broken_batches=%d rolled_back=%d send_errors=%d max_gap_ms=%.1f%n",
            good ? "passed" : "FAILED", answered.size(), seen.size(), inDoubt.size(), lost, duplicates.get(), unmarked.get(), outOfOrder.get(), broken,
            rolledBack.get(), sendErrors.get(), longestGap.get() / 1e6);
        System.exit(good ? 0 : 1);
    }

    /** In-doubt batches of which some messages arrived and some did not. A batch is a run of neighbours of one producer. */
    static int brokenBatches() {
        TreeMap<Integer, TreeSet<Integer>> byProducer = new TreeMap<>();
        for (String key : inDoubt) {
            String[] parts = key.split(":");
            byProducer.computeIfAbsent(Integer.parseInt(parts[0]), k -> new TreeSet<>()).add(Integer.parseInt(parts[1]));
        }
        int broken = 0;
        for (var entry : byProducer.entrySet()) {
            Boolean first = null;
            int batchStart = 0, previous = Integer.MIN_VALUE;
            for (int n : entry.getValue()) {
                boolean here = seen.containsKey(entry.getKey() + ":" + n);
                if (n != previous + 1 || n - batchStart >= batchSize) { first = here; batchStart = n; }
                else if (first != here) { broken++; first = here; }
                previous = n;
            }
        }
        return broken;
    }

    static int batchSize = 1;
}
