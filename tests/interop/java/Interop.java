import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import javax.jms.*;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.ActiveMQSession;
import org.apache.activemq.RedeliveryPolicy;

/**
 * What an unmodified ActiveMQ client expects of a broker's queues, scenario by scenario.
 *
 * Args: broker URI (tcp://host:port). Each scenario uses queues of its own and prints one line; the exit code is the
 * number of failures. It knows nothing of Holdfast: it must pass against ActiveMQ too, except where a scenario
 * says "holdfast:" in its name.
 */
public class Interop {
    interface Scenario { void run() throws Exception; }

    static String uri;
    static final String RUN = Long.toHexString(System.nanoTime());
    static int failures;

    public static void main(String[] args) {
        uri = args[0];
        scenario("every kind of message with headers and properties", Interop::kinds);
        scenario("request and reply over a temporary queue", Interop::requestReply);
        scenario("a temporary queue belongs to its connection", Interop::temporaryOwner);
        scenario("order of one producer", Interop::order);
        scenario("client acknowledge", Interop::clientAcknowledge);
        scenario("individual acknowledge", Interop::individualAcknowledge);
        scenario("transacted send: commit and rollback", Interop::transactedSend);
        scenario("transacted receive: rollback redelivers with count", Interop::transactedReceive);
        scenario("recover() redelivers", Interop::recover);
        scenario("exhausted redeliveries go to ActiveMQ.DLQ", Interop::deadLetter);
        scenario("closing a consumer returns what it did not see", Interop::consumerClose);
        scenario("an unclosed connection returns its messages in order", Interop::lostConnection);
        scenario("browser sees all and removes nothing", Interop::browser);
        scenario("prefetch 0 pulls", Interop::pull);
        scenario("small prefetch", Interop::smallPrefetch);
        scenario("non-persistent", Interop::nonPersistent);
        scenario("producer window", Interop::producerWindow);
        scenario("time to live", Interop::timeToLive);
        scenario("large and compressed", Interop::large);
        scenario("consumers share fairly", Interop::fairness);
        scenario("message listener", Interop::listener);
        scenario("client id in use", Interop::clientIdInUse);
        scenario("holdfast: what is not there yet is refused clearly", Interop::refusals);
        for (String options : new String[] {"wireFormat.tightEncodingEnabled=false", "wireFormat.cacheEnabled=false",
                "wireFormat.version=9", "wireFormat.version=1&wireFormat.cacheEnabled=false", "wireFormat.stackTraceEnabled=false",
                "wireFormat.maxInactivityDuration=1000"}) {
            scenario("wire format " + options, () -> wireFormat(options));
        }
        System.out.println(failures == 0 ? "interop passed" : "interop FAILED: " + failures);
        System.exit(Math.min(failures, 100));
    }

    static void scenario(String name, Scenario body) {
        ExecutorService one = Executors.newSingleThreadExecutor(r -> { Thread t = new Thread(r); t.setDaemon(true); return t; });
        Future<?> done = one.submit(() -> { body.run(); return null; });
        try {
            done.get(60, TimeUnit.SECONDS);
            System.out.println("ok    " + name);
        } catch (Throwable e) {
            failures++;
            Throwable cause = e instanceof ExecutionException ? e.getCause() : e;
            System.out.println("FAIL  " + name + ": " + cause);
            for (StackTraceElement at : cause.getStackTrace()) {
                if (at.getClassName().startsWith("Interop")) System.out.println("        at " + at);
            }
        }
        one.shutdownNow();
    }

    // ---- help ---------------------------------------------------------------------------------------------------

    static ActiveMQConnection connect() throws JMSException { return connect(uri); }

    static ActiveMQConnection connect(String to) throws JMSException {
        ActiveMQConnectionFactory factory = new ActiveMQConnectionFactory(to);
        factory.setTrustAllPackages(true);
        RedeliveryPolicy policy = factory.getRedeliveryPolicy();
        policy.setInitialRedeliveryDelay(0);
        policy.setRedeliveryDelay(0);
        ActiveMQConnection connection = (ActiveMQConnection) factory.createConnection();
        connection.start();
        return connection;
    }

    static String name(String base) { return "interop." + RUN + "." + base; }

    static void check(boolean good, String what) { if (!good) throw new AssertionError(what); }

    static void same(Object want, Object got, String what) {
        check(Objects.equals(want, got), what + ": want " + want + ", got " + got);
    }

    static void fill(Connection connection, String queue, int count) throws JMSException {
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(session.createQueue(queue));
        for (int n = 0; n < count; n++) {
            TextMessage message = session.createTextMessage("message " + n);
            message.setIntProperty("n", n);
            producer.send(message);
        }
        session.close();
    }

    static List<Integer> take(MessageConsumer consumer, int count) throws JMSException {
        List<Integer> numbers = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Message message = consumer.receive(10_000);
            check(message != null, "message " + i + " of " + count + " did not come");
            numbers.add(message.getIntProperty("n"));
        }
        return numbers;
    }

    static List<Integer> range(int from, int to) {
        List<Integer> numbers = new ArrayList<>();
        for (int n = from; n < to; n++) numbers.add(n);
        return numbers;
    }

    static List<Integer> drain(String queue) throws JMSException {
        Connection connection = connect();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(session.createQueue(queue));
        List<Integer> numbers = new ArrayList<>();
        for (Message message; (message = consumer.receive(700)) != null;) numbers.add(message.getIntProperty("n"));
        connection.close();
        return numbers;
    }

    // ---- scenarios ----------------------------------------------------------------------------------------------

    static void kinds() throws Exception {
        Connection connection = connect();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        javax.jms.Queue queue = session.createQueue(name("kinds"));
        MessageProducer producer = session.createProducer(queue);
        MessageConsumer consumer = session.createConsumer(queue);
        TextMessage text = session.createTextMessage("grüß dich \u0000 \uD83D\uDE00");
        BytesMessage bytes = session.createBytesMessage();
        bytes.writeInt(42);
        bytes.writeBytes(new byte[2000]);
        MapMessage map = session.createMapMessage();
        map.setString("s", "v");
        map.setLong("l", Long.MIN_VALUE);
        map.setBytes("b", new byte[] {1, 2, 3});
        StreamMessage stream = session.createStreamMessage();
        stream.writeDouble(1.5);
        stream.writeString("x");
        ObjectMessage object = session.createObjectMessage(new ArrayList<>(List.of("a", "b")));
        Message[] all = {text, bytes, map, stream, object, session.createMessage(), session.createTextMessage(null)};
        for (Message message : all) {
            message.setJMSCorrelationID("correlation");
            message.setJMSType("type");
            message.setJMSReplyTo(session.createQueue(name("reply")));
            message.setStringProperty("string", "ä");
            message.setBooleanProperty("boolean", true);
            message.setDoubleProperty("double", 0.1);
            message.setStringProperty("JMSXGroupID", "group");
            producer.send(message, DeliveryMode.PERSISTENT, 7, 0);
        }
        for (Message sent : all) {
            Message got = consumer.receive(5000);
            check(got != null, "not received");
            same(sent.getJMSMessageID(), got.getJMSMessageID(), "id");
            same(sent.getJMSTimestamp(), got.getJMSTimestamp(), "timestamp");
            same("correlation", got.getJMSCorrelationID(), "correlation id");
            same("type", got.getJMSType(), "type");
            same(sent.getJMSReplyTo(), got.getJMSReplyTo(), "reply to");
            same(queue, got.getJMSDestination(), "destination");
            same(7, got.getJMSPriority(), "priority");
            same(DeliveryMode.PERSISTENT, got.getJMSDeliveryMode(), "delivery mode");
            same(false, got.getJMSRedelivered(), "redelivered");
            same("ä", got.getStringProperty("string"), "property");
            same(true, got.getBooleanProperty("boolean"), "property");
            same(0.1, got.getDoubleProperty("double"), "property");
            same("group", got.getStringProperty("JMSXGroupID"), "group");
            same(sent.getClass(), got.getClass(), "class");
            if (sent instanceof TextMessage) same(((TextMessage) sent).getText(), ((TextMessage) got).getText(), "text");
            if (sent instanceof MapMessage) same(Long.MIN_VALUE, ((MapMessage) got).getLong("l"), "map");
            if (sent instanceof ObjectMessage) same(List.of("a", "b"), ((ObjectMessage) got).getObject(), "object");
            if (sent instanceof StreamMessage) { same(1.5, ((StreamMessage) got).readDouble(), "stream"); same("x", ((StreamMessage) got).readString(), "stream"); }
            if (sent instanceof BytesMessage) { same(2004L, ((BytesMessage) got).getBodyLength(), "length"); same(42, ((BytesMessage) got).readInt(), "bytes"); }
        }
        connection.close();
    }

    static void requestReply() throws Exception {
        Connection server = connect(), client = connect();
        Session serving = server.createSession(false, Session.AUTO_ACKNOWLEDGE);
        Session asking = client.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageProducer answers = serving.createProducer(null);
        serving.createConsumer(serving.createQueue(name("service"))).setMessageListener(request -> {
            try {
                TextMessage answer = serving.createTextMessage("re: " + ((TextMessage) request).getText());
                answer.setJMSCorrelationID(request.getJMSMessageID());
                answers.send(request.getJMSReplyTo(), answer);
            } catch (JMSException e) { throw new RuntimeException(e); }
        });
        TemporaryQueue inbox = asking.createTemporaryQueue();
        MessageConsumer replies = asking.createConsumer(inbox);
        MessageProducer requests = asking.createProducer(asking.createQueue(name("service")));
        for (int i = 0; i < 20; i++) {
            TextMessage request = asking.createTextMessage("question " + i);
            request.setJMSReplyTo(inbox);
            requests.send(request);
            TextMessage answer = (TextMessage) replies.receive(5000);
            check(answer != null, "no answer " + i);
            same("re: question " + i, answer.getText(), "answer");
            same(request.getJMSMessageID(), answer.getJMSCorrelationID(), "correlation");
        }
        replies.close();
        inbox.delete();
        client.close();
        server.close();
    }

    static void temporaryOwner() throws Exception {
        Connection owner = connect(), other = connect();
        Session mine = owner.createSession(false, Session.AUTO_ACKNOWLEDGE);
        TemporaryQueue inbox = mine.createTemporaryQueue();
        Session theirs = other.createSession(false, Session.AUTO_ACKNOWLEDGE);
        try {
            theirs.createConsumer(inbox);
            throw new AssertionError("a foreign connection may consume a temporary queue");
        } catch (JMSException expected) { }
        owner.close();
        other.close();
    }

    static void order() throws Exception {
        Connection connection = connect();
        fill(connection, name("order"), 3000);
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        same(range(0, 3000), take(session.createConsumer(session.createQueue(name("order"))), 3000), "order");
        connection.close();
    }

    static void clientAcknowledge() throws Exception {
        Connection connection = connect();
        fill(connection, name("client"), 10);
        Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(session.createQueue(name("client")));
        take(consumer, 3);
        Message fourth = consumer.receive(5000);
        fourth.acknowledge();
        take(consumer, 2);
        connection.close();
        same(range(4, 10), drain(name("client")), "left");
    }

    static void individualAcknowledge() throws Exception {
        Connection connection = connect();
        fill(connection, name("individual"), 6);
        Session session = connection.createSession(false, ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(session.createQueue(name("individual")));
        for (int i = 0; i < 6; i++) {
            Message message = consumer.receive(5000);
            if (i % 2 == 1) message.acknowledge();
        }
        connection.close();
        same(List.of(0, 2, 4), drain(name("individual")), "left");
    }

    static void transactedSend() throws Exception {
        Connection connection = connect();
        Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
        MessageProducer producer = session.createProducer(session.createQueue(name("tx")));
        for (int batch = 0; batch < 4; batch++) {
            for (int i = 0; i < 5; i++) {
                Message message = session.createMessage();
                message.setIntProperty("n", batch * 5 + i);
                producer.send(message);
            }
            if (batch % 2 == 0) session.commit(); else session.rollback();
        }
        producer.send(session.createMessage());
        connection.close();
        List<Integer> want = range(0, 5);
        want.addAll(range(10, 15));
        same(want, drain(name("tx")), "committed");
    }

    static void transactedReceive() throws Exception {
        Connection connection = connect();
        fill(connection, name("txr"), 6);
        Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(session.createQueue(name("txr")));
        same(range(0, 3), take(consumer, 3), "first try");
        session.rollback();
        Message again = consumer.receive(5000);
        same(0, again.getIntProperty("n"), "again");
        same(true, again.getJMSRedelivered(), "redelivered");
        same(2, again.getIntProperty("JMSXDeliveryCount"), "delivery count");
        same(range(1, 3), take(consumer, 2), "second try");
        session.commit();
        take(consumer, 1);
        connection.close();
        same(range(3, 6), drain(name("txr")), "left");
    }

    static void recover() throws Exception {
        Connection connection = connect();
        fill(connection, name("recover"), 3);
        Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(session.createQueue(name("recover")));
        same(range(0, 3), take(consumer, 3), "first");
        session.recover();
        Message message = null;
        for (int n = 0; n < 3; n++) {
            message = consumer.receive(5000);
            same(n, message.getIntProperty("n"), "recovered");
            same(true, message.getJMSRedelivered(), "flag");
        }
        message.acknowledge();
        connection.close();
        same(List.of(), drain(name("recover")), "left");
    }

    static void deadLetter() throws Exception {
        ActiveMQConnection connection = connect();
        connection.getRedeliveryPolicy().setMaximumRedeliveries(2);
        fill(connection, name("poison"), 1);
        Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(session.createQueue(name("poison")));
        String id = null;
        for (int i = 0; i < 3; i++) {
            Message message = consumer.receive(5000);
            check(message != null, "delivery " + i);
            id = message.getJMSMessageID();
            session.rollback();
        }
        check(consumer.receive(500) == null, "a fourth delivery");
        Session plain = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer dead = plain.createConsumer(plain.createQueue("ActiveMQ.DLQ"));
        Message found = null;
        for (Message message; found == null && (message = dead.receive(3000)) != null;) {
            if (message.getJMSMessageID().equals(id)) found = message;
        }
        check(found != null, "not in ActiveMQ.DLQ");
        check(found.getStringProperty("dlqDeliveryFailureCause") != null, "no dlqDeliveryFailureCause");
        connection.close();
    }

    static void consumerClose() throws Exception {
        Connection connection = connect();
        fill(connection, name("close"), 5);
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer first = session.createConsumer(session.createQueue(name("close")));
        take(first, 2);
        first.close();
        MessageConsumer second = session.createConsumer(session.createQueue(name("close")));
        for (int n = 2; n < 5; n++) {
            Message message = second.receive(5000);
            same(n, message.getIntProperty("n"), "order");
            same(false, message.getJMSRedelivered(), "never seen, so not redelivered");
        }
        connection.close();
    }

    static void lostConnection() throws Exception {
        ActiveMQConnection connection = connect();
        fill(connection, name("lost"), 5);
        Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
        take(session.createConsumer(session.createQueue(name("lost"))), 2);
        connection.getTransport().stop();
        Connection other = connect();
        Session fresh = other.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = fresh.createConsumer(fresh.createQueue(name("lost")));
        for (int n = 0; n < 5; n++) {
            Message message = consumer.receive(5000);
            check(message != null, "message " + n + " did not come back");
            same(n, message.getIntProperty("n"), "order");
            if (n < 2) same(true, message.getJMSRedelivered(), "may have been seen");
        }
        other.close();
    }

    static void browser() throws Exception {
        Connection connection = connect();
        fill(connection, name("browse"), 600);
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        QueueBrowser browser = session.createBrowser(session.createQueue(name("browse")));
        List<Integer> seen = new ArrayList<>();
        for (Enumeration<?> messages = browser.getEnumeration(); messages.hasMoreElements();) {
            seen.add(((Message) messages.nextElement()).getIntProperty("n"));
        }
        browser.close();
        same(range(0, 600), seen, "browsed");
        same(range(0, 600), take(session.createConsumer(session.createQueue(name("browse"))), 600), "still there");
        connection.close();
    }

    static void pull() throws Exception {
        ActiveMQConnection connection = connect();
        connection.getPrefetchPolicy().setAll(0);
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(session.createQueue(name("pull")));
        check(consumer.receiveNoWait() == null, "nothing there");
        long start = System.nanoTime();
        check(consumer.receive(300) == null, "still nothing");
        check(System.nanoTime() - start >= 250_000_000L, "waited");
        fill(connection, name("pull"), 3);
        same(range(0, 2), take(consumer, 2), "pulled");
        Message last = consumer.receiveNoWait();
        check(last != null && last.getIntProperty("n") == 2, "last");
        connection.close();
    }

    static void smallPrefetch() throws Exception {
        ActiveMQConnection connection = connect();
        connection.getPrefetchPolicy().setAll(1);
        fill(connection, name("one"), 20);
        Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer slow = session.createConsumer(session.createQueue(name("one")));
        Message held = slow.receive(5000);
        same(0, held.getIntProperty("n"), "held");
        Session other = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer fast = other.createConsumer(other.createQueue(name("one")));
        List<Integer> numbers = take(fast, 18);
        check(!numbers.contains(0), "held message went out twice");
        connection.close();
    }

    static void nonPersistent() throws Exception {
        Connection connection = connect();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(session.createQueue(name("np")));
        producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
        MessageConsumer consumer = session.createConsumer(session.createQueue(name("np")));
        for (int n = 0; n < 500; n++) {
            Message message = session.createMessage();
            message.setIntProperty("n", n);
            producer.send(message);
        }
        same(range(0, 500), take(consumer, 500), "order");
        connection.close();
    }

    static void producerWindow() throws Exception {
        ActiveMQConnectionFactory factory = new ActiveMQConnectionFactory(uri);
        factory.setProducerWindowSize(10_000);
        Connection connection = factory.createConnection();
        connection.start();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(session.createQueue(name("window")));
        producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
        for (int n = 0; n < 200; n++) {
            BytesMessage message = session.createBytesMessage();
            message.writeBytes(new byte[500]);
            message.setIntProperty("n", n);
            producer.send(message);
        }
        same(range(0, 200), take(session.createConsumer(session.createQueue(name("window"))), 200), "all");
        connection.close();
    }

    static void timeToLive() throws Exception {
        Connection connection = connect();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(session.createQueue(name("ttl")));
        Message brief = session.createMessage();
        brief.setIntProperty("n", 1);
        producer.send(brief, DeliveryMode.PERSISTENT, 4, 1);
        Message lasting = session.createMessage();
        lasting.setIntProperty("n", 2);
        long until = System.currentTimeMillis() + 20;
        while (System.currentTimeMillis() < until) Thread.onSpinWait();
        producer.send(lasting, DeliveryMode.PERSISTENT, 4, 60_000);
        same(List.of(2), drain(name("ttl")), "alive");
        connection.close();
    }

    static void large() throws Exception {
        ActiveMQConnectionFactory factory = new ActiveMQConnectionFactory(uri);
        byte[] body = new byte[10 << 20];
        new Random(7).nextBytes(body);
        for (boolean compress : new boolean[] {false, true}) {
            factory.setUseCompression(compress);
            Connection connection = factory.createConnection();
            connection.start();
            Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            BytesMessage message = session.createBytesMessage();
            message.writeBytes(body);
            session.createProducer(session.createQueue(name("large"))).send(message);
            BytesMessage got = (BytesMessage) session.createConsumer(session.createQueue(name("large"))).receive(20_000);
            byte[] back = new byte[(int) got.getBodyLength()];
            got.readBytes(back);
            check(Arrays.equals(body, back), "body differs");
            connection.close();
        }
    }

    static void fairness() throws Exception {
        ActiveMQConnection connection = connect();
        connection.getPrefetchPolicy().setAll(10);
        AtomicInteger[] counts = new AtomicInteger[4];
        CountDownLatch all = new CountDownLatch(400);
        for (int i = 0; i < counts.length; i++) {
            AtomicInteger count = counts[i] = new AtomicInteger();
            Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            session.createConsumer(session.createQueue(name("fair"))).setMessageListener(m -> { count.incrementAndGet(); all.countDown(); });
        }
        fill(connection, name("fair"), 400);
        check(all.await(20, TimeUnit.SECONDS), "not all came");
        for (AtomicInteger count : counts) check(count.get() >= 40, "one consumer got only " + count);
        connection.close();
    }

    static void listener() throws Exception {
        Connection connection = connect();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        fill(connection, name("listener"), 5);
        CountDownLatch seven = new CountDownLatch(7);
        AtomicInteger failuresLeft = new AtomicInteger(2);
        session.createConsumer(session.createQueue(name("listener"))).setMessageListener(m -> {
            seven.countDown();
            if (failuresLeft.getAndDecrement() > 0) throw new RuntimeException("listener fails on purpose");
        });
        check(seven.await(10, TimeUnit.SECONDS), "a failed delivery was not repeated");
        connection.close();
        same(List.of(), drain(name("listener")), "left");
    }

    static void clientIdInUse() throws Exception {
        ActiveMQConnectionFactory factory = new ActiveMQConnectionFactory(uri);
        Connection first = factory.createConnection();
        first.setClientID(name("id"));
        first.start();
        Connection second = factory.createConnection();
        try {
            second.setClientID(name("id"));
            second.start();
            throw new AssertionError("the same client id twice");
        } catch (InvalidClientIDException expected) {
            check(expected.getMessage().contains("already connected"), expected.getMessage());
        }
        first.close();
        Connection third = factory.createConnection();
        third.setClientID(name("id"));
        third.start();
        third.close();
    }

    static void refusals() throws Exception {
        Connection connection = connect();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        try {
            session.createConsumer(session.createQueue(name("sel")), "n > 3");
            throw new AssertionError("a selector was accepted and would be ignored");
        } catch (JMSException expected) { check(expected.getMessage().toLowerCase().contains("selector"), expected.getMessage()); }
        try {
            session.createProducer(session.createTopic(name("topic"))).send(session.createMessage());
            throw new AssertionError("a topic was accepted");
        } catch (JMSException expected) { check(expected.getMessage().toLowerCase().contains("topic"), expected.getMessage()); }
        fill(connection, name("sel"), 1);
        connection.close();
    }

    static void wireFormat(String options) throws Exception {
        Connection connection = connect(uri + "?" + options);
        String queue = name("wf" + Math.abs(options.hashCode()));
        fill(connection, queue, 50);
        Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
        same(range(0, 50), take(session.createConsumer(session.createQueue(queue)), 50), "order");
        session.commit();
        connection.close();
    }
}
