import java.io.File;
import org.apache.activemq.artemis.core.config.Configuration;
import org.apache.activemq.artemis.core.config.impl.ConfigurationImpl;
import org.apache.activemq.artemis.core.server.JournalType;
import org.apache.activemq.artemis.core.server.embedded.EmbeddedActiveMQ;
import org.apache.activemq.artemis.core.settings.impl.AddressFullMessagePolicy;
import org.apache.activemq.artemis.core.settings.impl.AddressSettings;
import org.apache.activemq.artemis.nativo.jlibaio.LibaioContext;

/**
 * ActiveMQ Artemis with one OpenWire acceptor.
 *
 *   ArtemisBroker PORT DIR [NIO|ASYNCIO]
 *
 * Without the third argument it takes ASYNCIO where libaio loads, else NIO, and says which. Every persistent send is
 * answered after a sync (journalSyncNonTransactional, journalDatasync: the defaults). The flush timer is what
 * `artemis create` would find out for a disk that syncs in 0.1 ms, not the cautious default of 3.3 ms (NIO).
 */
public class ArtemisBroker {
    static final int FLUSH_NANOS = 100_000;

    public static void main(String[] a) throws Exception {
        JournalType type = a.length > 2 ? JournalType.valueOf(a[2]) : LibaioContext.isLoaded() ? JournalType.ASYNCIO : JournalType.NIO;
        File directory = new File(a[1]);
        Configuration configuration = new ConfigurationImpl();
        configuration.setSecurityEnabled(false);
        configuration.setJMXManagementEnabled(false);
        configuration.setPersistenceEnabled(true);
        configuration.setJournalType(type);
        configuration.setJournalBufferTimeout_AIO(FLUSH_NANOS);
        configuration.setJournalBufferTimeout_NIO(FLUSH_NANOS);
        configuration.setJournalDirectory(new File(directory, "journal").getPath());
        configuration.setBindingsDirectory(new File(directory, "bindings").getPath());
        configuration.setPagingDirectory(new File(directory, "paging").getPath());
        configuration.setLargeMessagesDirectory(new File(directory, "large").getPath());
        configuration.setMaxDiskUsage(-1);
        configuration.addAcceptorConfiguration("openwire", "tcp://127.0.0.1:" + a[0] + "?protocols=OPENWIRE;useEpoll=true");
        configuration.addAddressSetting("#", new AddressSettings().setAutoCreateQueues(true).setAutoCreateAddresses(true)
            .setAddressFullMessagePolicy(AddressFullMessagePolicy.PAGE));
        EmbeddedActiveMQ server = new EmbeddedActiveMQ();
        server.setConfiguration(configuration);
        System.out.println(System.currentTimeMillis() + " starting artemis");
        server.start();
        System.out.println(System.currentTimeMillis() + " started artemis journal " + type);
        Thread.currentThread().join();
    }
}
