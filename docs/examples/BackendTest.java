// A client in Java against a backend in a container: org.testcontainers:testcontainers and JUnit 5
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.Test;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;

class BackendTest {
    @Test
    void anExpiredCertificateIsRefusedForThatReason() throws Exception {
        try (var gauntlet = new GenericContainer<>("gauntlet")
                .withCommand("serve --bind 0.0.0.0 --port-base 10000 --control 0.0.0.0:9000 --open-control --no-files expired-leaf")
                .withExposedPorts(9000, 10000)
                .waitingFor(Wait.forHttp("/healthz").forPort(9000))) {
            gauntlet.start();
            var control = "http://localhost:" + gauntlet.getMappedPort(9000);
            var plain = HttpClient.newHttpClient();
            var root = plain.send(get(control + "/certs/ca.pem"), BodyHandlers.ofByteArray()).body();

            var store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null, null);
            store.setCertificateEntry("gauntlet",
                    CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(root)));
            var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(store);
            var tls = SSLContext.getInstance("TLS");
            tls.init(null, trust.getTrustManagers(), null);
            var client = HttpClient.newBuilder().sslContext(tls).build();

            var url = "https://localhost:" + gauntlet.getMappedPort(10000) + "/";
            assertThrows(IOException.class, () -> client.send(get(url), BodyHandlers.ofString()));
            var ledger = plain.send(get(control + "/ledger?backend=expired-leaf&wait_ms=5000"), BodyHandlers.ofString());
            assertTrue(ledger.body().contains("alert_received"), ledger.body());
        }
    }

    private static HttpRequest get(String url) {
        return HttpRequest.newBuilder(URI.create(url)).build();
    }
}
