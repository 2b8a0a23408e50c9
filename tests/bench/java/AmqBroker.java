import java.io.File;
import org.apache.activemq.broker.BrokerService;
import org.apache.activemq.store.kahadb.KahaDBPersistenceAdapter;

/**
 * ActiveMQ Classic with KahaDB, as its defaults have it: every journal write is synced, the lock is tried every 10 s.
 *
 *   AmqBroker NAME PORT DIR [LOCK_POLL_MS (10000)]
 *
 * Prints `starting` at once and `started` when clients are served; a slave prints that only once it is master.
 * JMX is off, which is faster than Debian's configuration. Memory for messages: 70 % of the heap, as usual.
 */
public class AmqBroker {
    public static void main(String[] a) throws Exception {
        File directory = new File(a[2]);
        BrokerService broker = new BrokerService();
        broker.setBrokerName(a[0]);
        broker.setUseJmx(false);
        broker.setDataDirectory(a[2] + "/data");
        KahaDBPersistenceAdapter store = new KahaDBPersistenceAdapter();
        store.setDirectory(directory);
        if (a.length > 3) store.getLocker().setLockAcquireSleepInterval(Long.parseLong(a[3]));
        broker.setPersistenceAdapter(store);
        broker.getSystemUsage().getStoreUsage().setLimit(20L << 30);
        broker.getSystemUsage().getTempUsage().setLimit(5L << 30);
        broker.getSystemUsage().getMemoryUsage().setPercentOfJvmHeap(70);
        broker.addConnector("tcp://127.0.0.1:" + a[1]);
        System.out.println(System.currentTimeMillis() + " starting " + a[0]);
        broker.start();
        broker.waitUntilStarted();
        System.out.println(System.currentTimeMillis() + " started " + a[0]);
        broker.waitUntilStopped();
    }
}
