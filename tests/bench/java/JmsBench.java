import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import javax.jms.*;
import org.apache.activemq.ActiveMQConnectionFactory;

/**
 * Load from the stock ActiveMQ client, the same against any OpenWire broker.
 *
 *   JmsBench send|drain|pair url=URI [queue=bench] [producers=1] [consumers=1] [messages=N | seconds=S] [size=1024]
 *            [persistent=true] [transaction=0] [ack=auto|client|tx:N] [fill=N] [warmup=S]
 *
 * Every producer and every consumer has its own connection. Before the clock starts it warms itself and the broker up on a
 * queue of its own for `warmup` seconds and queues `fill` messages; then it prints {"ready":true} and waits for a line
 * on standard input, so that the caller can start its own counters. It ends with one JSON line: messages, seconds,
 * messages per second, latency of each send (or of each commit) in microseconds, and the CPU seconds of this JVM over the
 * measured stretch.
 *
 * It does not judge what arrives: tests/interop/java/Chaos.java does that.
 */
public class JmsBench {
    static final OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    static final ThreadMXBean threadTimes = ManagementFactory.getThreadMXBean();
    static long busiestThreadNanos;
    static final int WARMUP_MESSAGES = 80_000;
    static Map<String, String> options = new HashMap<>();

    public static void main(String[] a) throws Exception {
        for (int i = 1; i < a.length; i++) {
            String[] pair = a[i].split("=", 2);
            options.put(pair[0], pair[1]);
        }
        double warmup = Double.parseDouble(text("warmup", "0"));
        if (warmup > 0) warmUp(warmup);
        if (number("fill", 0) > 0) fill(text("queue", "bench"), number("fill", 0));
        switch (a[0]) {
            case "send": send(); break;
            case "drain": drain(); break;
            case "pair": pair(); break;
            default: throw new IllegalArgumentException("unknown verb " + a[0]);
        }
        System.exit(0);
    }

    static String text(String key, String otherwise) { return options.getOrDefault(key, otherwise); }
    static int number(String key, int otherwise) { return Integer.parseInt(text(key, String.valueOf(otherwise))); }

    // What is measured

    static void send() throws Exception {
        int messages = number("messages", 0), seconds = number("seconds", 0);
        if (messages == 0 && seconds == 0) throw new IllegalArgumentException("messages or seconds must be given");
        Producers producers = new Producers(text("queue", "bench"), number("producers", 1), messages, seconds);
        producers.connect();
        Clock clock = waitForGo();
        producers.go();
        producers.join();
        clock.stop(producers.sent.get(), producers.latencies());
    }

    static void drain() throws Exception {
        Consumers consumers = new Consumers(text("queue", "bench"), number("consumers", 1), number("messages", 0), text("ack", "auto"));
        Clock clock = waitForGo();
        consumers.go();
        consumers.join();
        clock.startedAt(consumers.first.get()); // the way to the first message belongs to the backlog's own row
        clock.stop(consumers.received.get(), null);
    }

    static void pair() throws Exception {
        String queue = text("queue", "bench");
        int messages = number("messages", 0);
        Producers producers = new Producers(queue, number("producers", 1), messages, 0);
        Consumers consumers = new Consumers(queue, number("consumers", 1), producers.total(), text("ack", "auto"));
        producers.connect();
        Clock clock = waitForGo();
        consumers.go();
        producers.go();
        producers.join();
        consumers.join();
        clock.stop(consumers.received.get(), producers.latencies());
    }

    /** Sends and receives on a queue of its own, in the same mode, so that both JVMs have compiled what is about to be measured. */
    static void warmUp(double seconds) throws Exception {
        boolean transacted = number("transaction", 0) > 0;
        // No more than fits into the memory of every broker: nobody consumes yet, and a full one lets producers wait for ever.
        Producers producers = new Producers("bench.warmup", Math.min(4, number("producers", 1)), WARMUP_MESSAGES, seconds);
        producers.connect();
        producers.go();
        producers.join();
        Consumers consumers = new Consumers("bench.warmup", 1, (int) producers.sent.get(), transacted ? "tx:100" : "auto");
        consumers.go();
        consumers.join();
    }

    static void fill(String queue, int messages) throws Exception {
        Producers producers = new Producers(queue, 2, messages, 0);
        producers.transaction = 200;
        producers.connect();
        producers.go();
        producers.join();
    }

    static Clock waitForGo() throws Exception {
        System.out.println("{\"ready\":true}");
        System.out.flush();
        System.in.read();
        return new Clock();
    }

    // The parts

    static ActiveMQConnectionFactory factory() {
        ActiveMQConnectionFactory factory = new ActiveMQConnectionFactory(text("url", "tcp://127.0.0.1:61616"));
        factory.setWatchTopicAdvisories(false);
        return factory;
    }

    /** Wall and CPU time of the measured stretch. */
    static class Clock {
        long wall = System.nanoTime();
        final long cpu = system.getProcessCpuTime();

        void startedAt(long nanos) { wall = nanos; }

        void stop(long messages, long[] latencies) {
            double seconds = (System.nanoTime() - wall) / 1e9, cpuSeconds = (system.getProcessCpuTime() - cpu) / 1e9;
            System.out.printf(Locale.ROOT, "{\"messages\":%d,\"seconds\":%.4f,\"per_second\":%.1f,\"client_cpu_seconds\":%.3f,\"busiest_thread_seconds\":%.3f,\"latency_us\":%s}%n",
                messages, seconds, messages / seconds, cpuSeconds, busiestThreadNanos / 1e9, percentiles(latencies));
        }
    }

    /** With one connection, the busiest of its threads is a limit that no broker can lift. */
    static synchronized void noteBusiestThread() {
        for (long id : threadTimes.getAllThreadIds()) busiestThreadNanos = Math.max(busiestThreadNanos, threadTimes.getThreadCpuTime(id));
    }

    static String percentiles(long[] sorted) {
        if (sorted == null || sorted.length == 0) return "null";
        StringBuilder out = new StringBuilder("{");
        for (double percent : new double[] {50, 90, 99, 99.9, 99.99}) {
            int rank = (int) Math.ceil(percent / 100 * sorted.length) - 1;
            out.append(String.format(Locale.ROOT, "\"p%s\":%.1f,", percent == Math.rint(percent) ? String.valueOf((int) percent) : String.valueOf(percent), sorted[Math.max(0, rank)] / 1e3));
        }
        return out.append(String.format(Locale.ROOT, "\"max\":%.1f}", sorted[sorted.length - 1] / 1e3)).toString();
    }

    /** Threads that all do the same. A failure of any is a failure of the run. */
    static abstract class Crew {
        final List<Thread> threads = new ArrayList<>();
        final AtomicReference<Throwable> failure = new AtomicReference<>();

        abstract void work(int index) throws Exception;

        void start(int count) {
            for (int i = 0; i < count; i++) {
                int index = i;
                Thread thread = new Thread(() -> { try { work(index); } catch (Throwable e) { failure.compareAndSet(null, e); } });
                threads.add(thread);
                thread.start();
            }
        }

        void join() throws Exception {
            for (Thread thread : threads) thread.join();
            if (failure.get() != null) { failure.get().printStackTrace(); System.exit(70); }
        }
    }

    static class Producers extends Crew {
        final String queue;
        final int count, each;
        final double seconds;
        final CountDownLatch connected, start = new CountDownLatch(1);
        final AtomicLong sent = new AtomicLong();
        final List<long[]> taken = Collections.synchronizedList(new ArrayList<>());
        int transaction = number("transaction", 0);
        long end;

        Producers(String queue, int count, int messages, double seconds) {
            this.queue = queue;
            this.count = count;
            this.each = messages > 0 ? messages / count : Integer.MAX_VALUE;
            this.seconds = seconds;
            this.connected = new CountDownLatch(count);
        }

        int total() { return each * count; }

        void connect() throws Exception { start(count); connected.await(); }

        void go() { end = seconds > 0 ? System.nanoTime() + (long) (seconds * 1e9) : Long.MAX_VALUE; start.countDown(); }

        void work(int index) throws Exception {
            Connection connection = null;
            MessageProducer producer;
            Session session;
            try {
                connection = factory().createConnection();
                connection.start();
                session = connection.createSession(transaction > 0, Session.AUTO_ACKNOWLEDGE);
                producer = session.createProducer(session.createQueue(queue));
                producer.setDeliveryMode(text("persistent", "true").equals("true") ? DeliveryMode.PERSISTENT : DeliveryMode.NON_PERSISTENT);
            } finally {
                connected.countDown();
            }
            byte[] body = new byte[number("size", 1024)];
            new Random(1).nextBytes(body);
            Samples samples = new Samples();
            start.await();
            int n = 0;
            long before = System.nanoTime();
            while (n < each && before < end) {
                BytesMessage message = session.createBytesMessage();
                message.writeBytes(body);
                message.setIntProperty("n", n);
                producer.send(message);
                n++;
                if (transaction == 0 || n % transaction == 0) {
                    if (transaction > 0) session.commit();
                    long now = System.nanoTime();
                    samples.add(now - before);
                    before = now;
                }
            }
            if (transaction > 0) session.commit();
            sent.addAndGet(n);
            taken.add(samples.taken());
            connection.close();
        }

        long[] latencies() {
            long[] all = taken.stream().flatMapToLong(Arrays::stream).toArray();
            Arrays.sort(all);
            return all;
        }
    }

    static class Consumers extends Crew {
        final String queue, ack;
        final int count;
        final AtomicLong left, received = new AtomicLong(), first = new AtomicLong();

        Consumers(String queue, int count, int messages, String ack) {
            this.queue = queue;
            this.count = count;
            this.ack = ack;
            this.left = new AtomicLong(messages);
        }

        void go() { start(count); }

        void work(int index) throws Exception {
            Connection connection = factory().createConnection();
            int transaction = ack.startsWith("tx:") ? Integer.parseInt(ack.substring(3)) : 0;
            Session session = connection.createSession(transaction > 0, ack.equals("client") ? Session.CLIENT_ACKNOWLEDGE : Session.AUTO_ACKNOWLEDGE);
            MessageConsumer consumer = session.createConsumer(session.createQueue(queue));
            connection.start();
            long n = 0, silentSince = System.nanoTime();
            while (left.get() > 0) {
                Message message = consumer.receive(50);
                if (message == null) {
                    if (System.nanoTime() - silentSince > 60_000_000_000L) throw new JMSException(left + " messages did not come within 60 s");
                    continue;
                }
                silentSince = System.nanoTime();
                first.compareAndSet(0, silentSince);
                n++;
                left.decrementAndGet();
                if (transaction > 0 && n % transaction == 0) session.commit();
                if (ack.equals("client") && n % 100 == 0) message.acknowledge();
            }
            if (transaction > 0) session.commit();
            received.addAndGet(n);
            noteBusiestThread();
            connection.close();
        }
    }

    /** Nanoseconds, kept in an array that doubles. */
    static class Samples {
        long[] values = new long[1 << 14];
        int count;

        void add(long value) {
            if (count == values.length) values = Arrays.copyOf(values, count * 2);
            values[count++] = value;
        }

        long[] taken() { return Arrays.copyOf(values, count); }
    }
}
