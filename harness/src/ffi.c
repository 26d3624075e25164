/* A server that has never heard of RFC 5746: OpenSSL has no public switch for that.
 *
 * To be called as certificate callback: the ClientHello has been read by then, the ServerHello not been made.
 * Internal headers; openssl-src is pinned to an exact version because of it. */
#include "ssl/ssl_local.h"
#include "internal/ssl_unwrap.h"

int gauntlet_forget_secure_renegotiation(SSL *ssl, void *unused)
{
    SSL_CONNECTION *connection = SSL_CONNECTION_FROM_SSL(ssl);

    (void)unused;
    if (connection != NULL)
        connection->s3.send_connection_binding = 0;
    return 1;
}
