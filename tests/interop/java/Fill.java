import javax.jms.*;
import org.apache.activemq.ActiveMQConnectionFactory;

/** Queues persistent messages quickly, in transactions of 500. Args: URI queue count size. */
public class Fill {
    public static void main(String[] a) throws Exception {
        Connection connection = new ActiveMQConnectionFactory(a[0]).createConnection();
        connection.start();
        Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
        MessageProducer producer = session.createProducer(session.createQueue(a[1]));
        byte[] body = new byte[Integer.parseInt(a[3])];
        int count = Integer.parseInt(a[2]);
        for (int n = 1; n <= count; n++) {
            BytesMessage message = session.createBytesMessage();
            message.writeBytes(body);
            producer.send(message);
            if (n % 500 == 0 || n == count) session.commit();
        }
        connection.close();
    }
}
