import java.io.*;
import java.net.*;
import java.nio.file.*;
import java.security.*;
import java.security.cert.*;
import java.util.*;
import java.util.concurrent.*;
import javax.net.ssl.*;

/** Java's JSSE: what it says of each backend. Its targets are lines, not JSON: backend, port, name, patience. */
class Call {
    static SSLContext context;

    public static void main(String[] arguments) throws Exception {
        var trust = KeyStore.getInstance(KeyStore.getDefaultType());
        trust.load(null, null);
        try (var file = Files.newInputStream(Path.of(arguments[1]))) {
            trust.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        var own = KeyStore.getInstance("PKCS12");
        try (var file = Files.newInputStream(Path.of(arguments[2]))) { own.load(file, "gauntlet".toCharArray()); }
        var keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(own, "gauntlet".toCharArray());
        var roots = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        roots.init(trust);
        context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), roots.getTrustManagers(), null);

        var pool = Executors.newFixedThreadPool(16);
        var said = new LinkedHashMap<String, Future<String>>();
        for (var line : Files.readAllLines(Path.of(arguments[0]))) {
            var target = line.split("\t");
            said.put(target[0], pool.submit(() -> ask(Integer.parseInt(target[1]), target[2], Integer.parseInt(target[3]))));
        }
        for (var one : said.entrySet()) System.out.println(one.getKey() + "\t" + one.getValue().get());
        pool.shutdown();
    }

    static String ask(int port, String name, int patience) {
        var said = new ArrayList<String>();
        try (var bare = new Socket(InetAddress.getLoopbackAddress(), port)) {
            bare.setSoTimeout(patience * 1000);
            var socket = (SSLSocket) context.getSocketFactory().createSocket(bare, name, port, true);
            var parameters = socket.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            socket.setSSLParameters(parameters);
            socket.startHandshake();
            said.add(socket.getSession().getProtocol());
            said.add(socket.getSession().getCipherSuite());
            said.add("chain of " + socket.getSession().getPeerCertificates().length);
            var request = "GET /n-0123456789abcdef HTTP/1.1\r\nhost: " + name + "\r\nconnection: close\r\n\r\n";
            socket.getOutputStream().write(request.getBytes());
            var answer = new String(socket.getInputStream().readAllBytes());
            if (answer.isEmpty()) said.add("no answer");
            else said.add(answer.substring(9, 12) + (answer.endsWith("}\n") ? "" : " and no whole body"));
        } catch (Exception error) {
            Throwable cause = error;
            while (cause.getCause() != null) cause = cause.getCause();
            var words = String.valueOf(cause.getMessage()).lines().findFirst().orElse("");
            // An ECDSA signature is a byte or two longer or shorter from one certificate to the next.
            words = words.replaceFirst("message \\(\\d+\\)", "message");
            // What depends on the clock, and on who is first to notice.
            said.add(words.replaceAll(": \\w{3} \\w{3} \\d.*", "").replace("Broken pipe", "Connection reset")
                .replace("Connection reset by peer", "Connection reset"));
        }
        return String.join(", ", said);
    }
}
