//! The OpenSSL functions that the `openssl` crate lacks, each behind a small safe function.

#![allow(unsafe_code, reason = "the one place where C is called; every call says why it may be")]

use std::{
    ffi::{CStr, CString, c_char, c_int, c_long, c_uint, c_void},
    io,
    os::fd::{AsRawFd, BorrowedFd},
    ptr, slice,
    sync::Arc,
};

use foreign_types::ForeignTypeRef;
use openssl::{
    error::ErrorStack,
    ex_data::Index,
    rand::rand_bytes,
    ssl::{Ssl, SslContext, SslContextBuilder, SslContextRef, SslRef, SslSession, SslVerifyMode},
    stack::StackRef,
    x509::{
        X509, X509CrlRef, X509Name, X509NameRef, X509Ref, X509StoreContextRef, X509VerifyResult,
        store::X509StoreBuilderRef,
    },
};
use openssl_sys::{
    EVP_CIPHER_CTX, SSL, SSL_CTX, SSL_SESSION, X509_CRL, X509_NAME, X509_STORE, X509_STORE_CTX,
    stack_st_X509, stack_st_X509_NAME,
};
use tokio_openssl::SslStream;

type MessageCallback = unsafe extern "C" fn(c_int, c_int, c_int, *const c_void, usize, *mut SSL, *mut c_void);

type TicketMade = unsafe extern "C" fn(*mut SSL, *mut c_void) -> c_int;
type TicketRead =
    unsafe extern "C" fn(*mut SSL, *mut SSL_SESSION, *const u8, usize, c_int, *mut c_void) -> c_int;
type TicketKey =
    unsafe extern "C" fn(*mut SSL, *mut u8, *mut u8, *mut EVP_CIPHER_CTX, *mut EVP_MAC_CTX, c_int) -> c_int;
type CertificateCallback = unsafe extern "C" fn(*mut SSL, *mut c_void) -> c_int;

/// Opaque.
#[repr(C)]
struct EVP_MAC_CTX {
    _private: [u8; 0],
}

unsafe extern "C" {
    fn SSL_renegotiate(ssl: *mut SSL) -> c_int;
    fn SSL_renegotiate_pending(ssl: *const SSL) -> c_int;
    fn SSL_verify_client_post_handshake(ssl: *mut SSL) -> c_int;
    fn X509_STORE_add_crl(store: *mut X509_STORE, list: *mut X509_CRL) -> c_int;
    fn X509_STORE_CTX_get0_untrusted(context: *const X509_STORE_CTX) -> *mut stack_st_X509;
    fn SSL_key_update(ssl: *mut SSL, kind: c_int) -> c_int;
    fn SSL_CTX_set_block_padding(context: *mut SSL_CTX, size: usize) -> c_int;
    fn SSL_CTX_set_cert_cb(
        context: *mut SSL_CTX,
        callback: Option<CertificateCallback>,
        argument: *mut c_void,
    );
    fn SSL_CTX_set_session_ticket_cb(
        context: *mut SSL_CTX,
        made: Option<TicketMade>,
        read: Option<TicketRead>,
        argument: *mut c_void,
    ) -> c_int;
    /// In `ffi.c`.
    fn gauntlet_forget_secure_renegotiation(ssl: *mut SSL, unused: *mut c_void) -> c_int;
    fn SSL_get0_peer_CA_list(ssl: *const SSL) -> *const stack_st_X509_NAME;
    fn SSL_CTX_set_tlsext_ticket_key_evp_cb(context: *mut SSL_CTX, callback: Option<TicketKey>) -> c_int;
    /// In `ffi.c`.
    fn gauntlet_key_ticket(
        cipher: *mut EVP_CIPHER_CTX,
        mac: *mut EVP_MAC_CTX,
        keys: *mut u8,
        iv: *const u8,
        making: c_int,
    ) -> c_int;
    /// In `ffi.c`.
    fn gauntlet_prepare_alert(ssl: *mut SSL, description: c_int);
    fn SSL_CTX_set_msg_callback(context: *mut SSL_CTX, callback: Option<MessageCallback>);
}

/// A witness of the messages on one connection. Called from inside OpenSSL: must neither panic nor call OpenSSL.
pub(crate) trait Witness: Send + Sync + Sized + 'static {
    /// Where on an [`Ssl`] its witness is kept.
    fn index() -> Index<Ssl, Arc<Self>>;
    /// A protocol message in the clear. `content_type` is that of the record layer; OpenSSL's own pseudo types
    /// (record headers) are not passed on.
    fn message(&self, sent: bool, version: u16, content_type: u8, bytes: &[u8]);
}

/// Lets every connection made from this context report to its witness, if it has one.
pub(crate) fn watch<W: Witness>(context: &mut SslContextBuilder) {
    // SAFETY: the context is live; the callback is a plain function, so it outlives it. SSL_CTX_set_msg_callback(3)
    unsafe { SSL_CTX_set_msg_callback(context.as_ptr(), Some(on_message::<W>)) }
}

unsafe extern "C" fn on_message<W: Witness>(
    sent: c_int,
    version: c_int,
    content_type: c_int,
    bytes: *const c_void,
    length: usize,
    ssl: *mut SSL,
    _argument: *mut c_void,
) {
    // Pseudo types (record headers, the inner content type of TLS 1.3) begin at 0x100 and come with every record.
    let Ok(content_type) = u8::try_from(content_type) else { return };
    if bytes.is_null() || ssl.is_null() {
        return;
    }
    // SAFETY: OpenSSL hands in the connection it is working on and a buffer of this length, both valid for the
    // duration of the call. SSL_CTX_set_msg_callback(3)
    let (ssl, bytes) = unsafe { (SslRef::from_ptr(ssl), slice::from_raw_parts(bytes.cast::<u8>(), length)) };
    if let Some(witness) = ssl.ex_data(W::index()) {
        witness.message(sent == 1, u16::try_from(version).unwrap_or(0), content_type, bytes);
    }
}

/// A session, and the context that it is from: no connection of another context may offer it.
pub(crate) struct Resumable {
    session: SslSession,
    of: SslContext,
}

impl Clone for Resumable {
    fn clone(&self) -> Self {
        Self { session: self.session.clone(), of: self.of.clone() }
    }
}

impl Resumable {
    /// The session that this connection has come to.
    pub(crate) fn of(ssl: &SslRef) -> Option<Self> {
        Some(Self::new(ssl, ssl.session()?.to_owned()))
    }

    /// A session that this connection was given.
    pub(crate) fn new(ssl: &SslRef, session: SslSession) -> Self {
        Self { session, of: ssl.ssl_context().to_owned() }
    }

    /// Has a connection offer it, unless that is of another context; to be called before the handshake.
    ///
    /// # Errors
    /// OpenSSL's reason; none is given for a connection of another context.
    pub(crate) fn offer(&self, ssl: &mut Ssl) -> Result<(), ErrorStack> {
        if !ptr::eq(ssl.ssl_context().as_ptr(), self.of.as_ptr()) {
            return Err(ErrorStack::get());
        }
        // SAFETY: both are live, the connection takes a reference of its own, and both are of the same context.
        // SSL_set_session(3)
        unsafe { ssl.set_session(&self.session) }
    }
}

/// Makes the next handshake step a renegotiation (up to TLS 1.2). Sends nothing by itself.
///
/// # Errors
/// OpenSSL's reason, above all that the connection is TLS 1.3.
pub(crate) fn renegotiate<S>(tls: &mut SslStream<S>) -> Result<(), ErrorStack> {
    // SAFETY: the connection is live and borrowed alone; the call sets flags and does no I/O. SSL_renegotiate(3)
    check(unsafe { SSL_renegotiate(tls.ssl().as_ptr()) })
}

/// Makes the next handshake step a `KeyUpdate` (TLS 1.3), which may ask the peer for one. Sends nothing by itself.
///
/// # Errors
/// OpenSSL's reason, above all that the connection is not TLS 1.3.
pub(crate) fn key_update<S>(tls: &mut SslStream<S>, asks: bool) -> Result<(), ErrorStack> {
    // SSL_KEY_UPDATE_NOT_REQUESTED and SSL_KEY_UPDATE_REQUESTED of `openssl/ssl.h`.
    // SAFETY: the connection is live and borrowed alone; the call sets flags and does no I/O. SSL_key_update(3)
    check(unsafe { SSL_key_update(tls.ssl().as_ptr(), c_int::from(asks)) })
}

/// Pads records of TLS 1.3 to multiples of this many bytes.
///
/// # Errors
/// OpenSSL's reason, above all that a record is not that long.
pub(crate) fn pad_records(context: &mut SslContextBuilder, bytes: usize) -> Result<(), ErrorStack> {
    // SAFETY: the context is live. SSL_CTX_set_block_padding(3)
    check(unsafe { SSL_CTX_set_block_padding(context.as_ptr(), bytes) })
}

/// Lets a server give tickets out and take none back: each handshake is a full one.
///
/// # Errors
/// OpenSSL's reason.
pub(crate) fn refuse_tickets(context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    // SAFETY: the context is live; the callback is a plain function that looks at none of its arguments.
    // SSL_CTX_set_session_ticket_cb(3)
    check(unsafe { SSL_CTX_set_session_ticket_cb(context.as_ptr(), None, Some(on_ticket), ptr::null_mut()) })
}

unsafe extern "C" fn on_ticket(
    _ssl: *mut SSL,
    _session: *mut SSL_SESSION,
    _key_name: *const u8,
    _length: usize,
    _status: c_int,
    _argument: *mut c_void,
) -> c_int {
    // SSL_TICKET_RETURN_IGNORE_RENEW of `openssl/ssl.h`: a full handshake, with a new ticket.
    2
}

/// Under which keys one connection makes tickets, and accepts them. Called from inside OpenSSL: must neither panic nor
/// call OpenSSL.
pub(crate) trait TicketKeys: Send + Sync + Sized + 'static {
    /// Where on an [`Ssl`] its keys are kept.
    fn index() -> Index<Ssl, Self>;
    /// Name of the key under which tickets are made.
    fn current(&self) -> [u8; 16];
    /// Whether tickets under the key of this name are accepted.
    fn accepts(&self, name: [u8; 16]) -> bool;
    /// The key of this name: 32 bytes to encrypt, 32 to authenticate.
    fn key(&self, name: [u8; 16]) -> [u8; 64];
}

/// Lets a server protect its tickets under the keys of each connection.
///
/// # Errors
/// OpenSSL's reason.
pub(crate) fn choose_ticket_keys<K: TicketKeys>(context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    // SAFETY: the context is live; the callback is a plain function. SSL_CTX_set_tlsext_ticket_key_evp_cb(3)
    check(unsafe { SSL_CTX_set_tlsext_ticket_key_evp_cb(context.as_ptr(), Some(on_ticket_key::<K>)) })
}

unsafe extern "C" fn on_ticket_key<K: TicketKeys>(
    ssl: *mut SSL,
    name: *mut u8,
    iv: *mut u8,
    cipher: *mut EVP_CIPHER_CTX,
    mac: *mut EVP_MAC_CTX,
    making: c_int,
) -> c_int {
    // The callback's answers.
    const FAILED: c_int = -1;
    const FULL_HANDSHAKE: c_int = 0;
    const ACCEPTED: c_int = 1;
    const ACCEPTED_RENEW: c_int = 2;
    const NAME: usize = 16;
    // SAFETY: OpenSSL hands in the connection it is working on. SSL_CTX_set_tlsext_ticket_key_evp_cb(3)
    let Some(keys) = (unsafe { SslRef::from_ptr(ssl) }).ex_data(K::index()) else { return FULL_HANDSHAKE };
    let wanted = if making == 1 {
        let (current, mut random) = (keys.current(), [0; NAME]);
        if rand_bytes(&mut random).is_err() {
            return FAILED;
        }
        // SAFETY: the name has 16 bytes, the initialisation vector at least as many (EVP_MAX_IV_LENGTH), and both are to be
        // written when a ticket is made; nothing else refers to them meanwhile.
        unsafe {
            ptr::copy_nonoverlapping(current.as_ptr(), name, NAME);
            ptr::copy_nonoverlapping(random.as_ptr(), iv, NAME);
        }
        current
    } else {
        let mut wanted = [0; NAME];
        // SAFETY: the name has 16 bytes. When a ticket is read, it stands in the peer's message, and is not written.
        unsafe { ptr::copy_nonoverlapping(name.cast_const(), wanted.as_mut_ptr(), NAME) };
        if !keys.accepts(wanted) {
            return FULL_HANDSHAKE;
        }
        wanted
    };
    let mut key = keys.key(wanted);
    // SAFETY: both contexts are those that OpenSSL is working on, the key has the 64 bytes that are read, and the vector is set.
    if unsafe { gauntlet_key_ticket(cipher, mac, key.as_mut_ptr(), iv, making) } != 1 {
        return FAILED;
    }
    if wanted == keys.current() { ACCEPTED } else { ACCEPTED_RENEW }
}

/// Lets a server leave the extension `renegotiation_info` (RFC 5746) out of its ServerHello.
pub(crate) fn forget_secure_renegotiation(context: &mut SslContextBuilder) {
    // SAFETY: the context is live; the callback is a plain function that needs no argument and is only called with
    // connections of this context. SSL_CTX_set_cert_cb(3)
    unsafe {
        SSL_CTX_set_cert_cb(context.as_ptr(), Some(gauntlet_forget_secure_renegotiation), ptr::null_mut());
    }
}

/// Lets the shutdown send this fatal alert in the place of `close_notify`, in whatever protection the connection has.
/// Sends nothing by itself.
pub(crate) fn prepare_alert<S>(tls: &mut SslStream<S>, description: u8) {
    // SAFETY: the connection is live and borrowed alone; the call sets fields and does no I/O. `ssl3_shutdown` in `ssl/s3_lib.c`
    unsafe { gauntlet_prepare_alert(tls.ssl().as_ptr(), c_int::from(description)) }
}

/// Whether a renegotiation has been asked for and is not complete.
pub(crate) fn renegotiate_pending(ssl: &SslRef) -> bool {
    // SAFETY: the connection is live; the call reads flags. SSL_renegotiate_pending(3)
    unsafe { SSL_renegotiate_pending(ssl.as_ptr()) == 1 }
}

/// Makes the next handshake step a request for the client's certificate (TLS 1.3). Sends nothing by itself.
///
/// # Errors
/// OpenSSL's reason, above all that the client did not offer post-handshake authentication; the connection is
/// as good as before.
pub(crate) fn verify_client_post_handshake<S>(tls: &mut SslStream<S>) -> Result<(), ErrorStack> {
    // SAFETY: the connection is live and borrowed alone; the call sets flags and does no I/O. SSL_verify_client_post_handshake(3)
    check(unsafe { SSL_verify_client_post_handshake(tls.ssl().as_ptr()) })
}

/// Changes what is asked of the peer's certificate on a live connection, for the handshakes to come.
pub(crate) fn set_verify<S>(tls: &mut SslStream<S>, mode: SslVerifyMode) {
    // SAFETY: the connection is live and borrowed alone; without a callback the one of the context stays. SSL_set_verify(3)
    unsafe { openssl_sys::SSL_set_verify(tls.ssl().as_ptr(), mode.bits(), None) }
}

/// Lets clients made from this context offer post-handshake authentication (TLS 1.3).
pub(crate) fn offer_post_handshake_auth(context: &mut SslContextBuilder) {
    // SAFETY: the context is live. SSL_CTX_set_post_handshake_auth(3)
    unsafe { openssl_sys::SSL_CTX_set_post_handshake_auth(context.as_ptr(), 1) }
}

/// How strong the Diffie-Hellman parameters of a server are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DhStrength {
    /// As strong as the key of the certificate.
    AsCertificate,
    /// 1024 bits, whatever the certificate.
    Bits1024,
}

/// Lets a server choose Diffie-Hellman parameters by itself; without it the DHE suites are dead.
pub(crate) fn dh_auto(context: &mut SslContextBuilder, strength: DhStrength) -> Result<(), ErrorStack> {
    let mode: c_long = match strength {
        DhStrength::AsCertificate => 1,
        // Undocumented, but as old as the control itself: `ssl_get_auto_dh` in `t1_lib.c`.
        DhStrength::Bits1024 => 2,
    };
    // SAFETY: the context is live and this control takes no pointer. SSL_CTX_set_dh_auto(3)
    let done = unsafe {
        openssl_sys::SSL_CTX_ctrl(context.as_ptr(), openssl_sys::SSL_CTRL_SET_DH_AUTO, mode, ptr::null_mut())
    };
    check(c_int::from(done == 1))
}

/// The body of the extension `server_name`, while the client-hello callback runs.
pub(crate) fn server_name_extension(ssl: &SslRef) -> Option<&[u8]> {
    const SERVER_NAME: c_uint = 0;
    let (mut bytes, mut length) = (ptr::null(), 0);
    // SAFETY: the connection is live; on success the two places are set to a buffer that OpenSSL keeps for the
    // duration of the callback, during which the connection is borrowed. SSL_client_hello_get0_ext(3)
    unsafe {
        let found = openssl_sys::SSL_client_hello_get0_ext(
            ssl.as_ptr(),
            SERVER_NAME,
            &raw mut bytes,
            &raw mut length,
        );
        if found == 1 && !bytes.is_null() { Some(slice::from_raw_parts(bytes, length)) } else { None }
    }
}

/// The name of the negotiated key-exchange group, as OpenSSL spells it.
pub(crate) fn group_name(ssl: &SslRef) -> Option<&str> {
    // OpenSSL looks into the session without asking whether there is one.
    ssl.session()?;
    // SAFETY: the connection is live and has a session; the name is static or owned by the context, which the
    // connection keeps alive. SSL_get0_group_name(3)
    let name = unsafe { text(openssl_sys::SSL_get0_group_name(ssl.as_ptr())) };
    name.filter(|name| !name.is_empty())
}

/// The certificates a peer has sent, leaf first, while they are being verified.
pub(crate) fn sent_chain(verification: &X509StoreContextRef) -> Option<&StackRef<X509>> {
    // SAFETY: the verification is live and owns the stack, which is not changed while it lasts.
    // X509_STORE_CTX_get0_untrusted(3)
    unsafe {
        let chain = X509_STORE_CTX_get0_untrusted(verification.as_ptr());
        if chain.is_null() { None } else { Some(StackRef::from_ptr(chain)) }
    }
}

/// The result of a verification that goes by this number of `openssl/x509_vfy.h`.
pub(crate) fn verify_result(number: c_int) -> X509VerifyResult {
    // SAFETY: any number will do; unknown ones are called so. X509_STORE_CTX_set_error(3)
    unsafe { X509VerifyResult::from_raw(number) }
}

/// Adds a revocation list to what certificates are checked against.
///
/// # Errors
/// OpenSSL's reason.
pub(crate) fn add_crl(store: &mut X509StoreBuilderRef, list: &X509CrlRef) -> Result<(), ErrorStack> {
    // SAFETY: both are live, and the store takes a reference of its own to the list. X509_STORE_add_crl(3)
    check(unsafe { X509_STORE_add_crl(store.as_ptr(), list.as_ptr()) })
}

/// The authorities that the peer names in its request for a certificate, as OpenSSL prints them (RFC 2253).
pub(crate) fn peer_authorities(ssl: &SslRef) -> Vec<X509Name> {
    // SAFETY: the connection is live and owns the list and the names in it, which are copied before it can change.
    // SSL_get0_peer_CA_list(3)
    unsafe {
        let list = SSL_get0_peer_CA_list(ssl.as_ptr());
        if list.is_null() {
            return Vec::new();
        }
        let count = openssl_sys::OPENSSL_sk_num(list.cast());
        (0..count)
            .map(|place| openssl_sys::OPENSSL_sk_value(list.cast(), place).cast::<X509_NAME>())
            .filter(|name| !name.is_null())
            .filter_map(|name| X509NameRef::from_ptr(name).to_owned().ok())
            .collect()
    }
}

/// Offers these signature algorithms on one connection: names between colons, those behind a question mark only if
/// OpenSSL knows them.
///
/// # Errors
/// OpenSSL's reason, above all that a name is unknown.
pub(crate) fn set_signature_algorithms(ssl: &mut SslRef, names: &str) -> Result<(), ErrorStack> {
    let Ok(names) = CString::new(names) else { return Err(ErrorStack::get()) };
    let set = openssl_sys::SSL_CTRL_SET_SIGALGS_LIST;
    // SAFETY: the connection is live and borrowed alone, and the string is only read during the call. SSL_set1_sigalgs_list(3)
    let done = unsafe { openssl_sys::SSL_ctrl(ssl.as_ptr(), set, 0, names.as_ptr().cast_mut().cast()) };
    check(c_int::from(done == 1))
}

/// Gives a connection another context: its next handshake shows that context's certificate.
pub(crate) fn set_context<S>(tls: &mut SslStream<S>, context: &SslContextRef) {
    // SAFETY: both are live, and the connection, borrowed alone, takes a reference of its own to the context. SSL_set_SSL_CTX(3)
    unsafe { openssl_sys::SSL_set_SSL_CTX(tls.ssl().as_ptr(), context.as_ptr()) };
}

/// Whether a certificate demands TLS extensions of its server (RFC 7633): the only one in use is `status_request`.
pub(crate) fn has_tls_feature(certificate: &X509Ref) -> bool {
    // `NID_tlsfeature` of `openssl/obj_mac.h`.
    const TLS_FEATURE: c_int = 1020;
    // SAFETY: the certificate is live and is only read. X509_get_ext_by_NID(3)
    unsafe { openssl_sys::X509_get_ext_by_NID(certificate.as_ptr(), TLS_FEATURE, -1) >= 0 }
}

/// How many bytes wait in the send queue of a TCP socket, sent or not, until the peer acknowledges them.
///
/// # Errors
/// The kernel's.
pub(crate) fn unacknowledged(socket: BorrowedFd<'_>) -> io::Result<usize> {
    let mut bytes: c_int = 0;
    // SAFETY: the socket is open as long as it is borrowed; the kernel writes one int to the address it is given, and nothing on failure; SIOCOUTQ is the same
    // request as TIOCOUTQ. tcp(7)
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// Sends the first of these bytes in a segment of its own.
///
/// # Errors
/// The kernel's, above all that it takes no more now.
pub(crate) fn send_one(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    // MSG_EOR keeps the kernel from putting the next byte into the same segment (`tcp_skb_can_collapse_to`).
    let flags = libc::MSG_EOR | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the socket is open as long as it is borrowed; the kernel reads at most as many bytes as there are. send(2)
    let sent = unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len().min(1), flags) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// # Safety
/// Null, or a string that ends in a zero and lives as long as the answer is used.
unsafe fn text<'a>(pointer: *const c_char) -> Option<&'a str> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: not null, and the caller vouches for the rest.
    unsafe { CStr::from_ptr(pointer) }.to_str().ok()
}

fn check(answer: c_int) -> Result<(), ErrorStack> {
    if answer == 1 { Ok(()) } else { Err(ErrorStack::get()) }
}
