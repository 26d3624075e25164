/* What OpenSSL has no public switch for. Internal headers; openssl-src is pinned to an exact version because of it. */
#include "ssl/ssl_local.h"
#include "internal/ssl_unwrap.h"
#include <openssl/core_names.h>

/* A server that has never heard of RFC 5746. To be called as certificate callback: the ClientHello has been read by
 * then, the ServerHello not been made. */
int gauntlet_forget_secure_renegotiation(SSL *ssl, void *unused)
{
    SSL_CONNECTION *connection = SSL_CONNECTION_FROM_SSL(ssl);

    (void)unused;
    if (connection != NULL)
        connection->s3.send_connection_binding = 0;
    return 1;
}

/* Sets up what protects a ticket, under a key of 32 bytes for each of the two (SSL_CTX_set_tlsext_ticket_key_evp_cb(3)).
 * Nothing internal; but the parameters are macros and structures that C knows best. */
int gauntlet_key_ticket(EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, unsigned char *keys, const unsigned char *iv, int making)
{
    OSSL_PARAM params[3];

    params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, keys + 32, 32);
    params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0);
    params[2] = OSSL_PARAM_construct_end();
    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, keys, iv, making) == 1
        && EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* An alert of one's own choice: there is no public call for that either. SSL_shutdown(3) sends it in the place of
 * close_notify, as it does with one that could not be sent at once (ssl3_shutdown). */
void gauntlet_prepare_alert(SSL *ssl, int description)
{
    SSL_CONNECTION *connection = SSL_CONNECTION_FROM_SSL(ssl);

    if (connection == NULL)
        return;
    connection->s3.send_alert[0] = SSL3_AL_FATAL;
    connection->s3.send_alert[1] = (unsigned char)description;
    connection->s3.alert_dispatch = SSL_ALERT_DISPATCH_PENDING;
    connection->shutdown |= SSL_SENT_SHUTDOWN;
}
