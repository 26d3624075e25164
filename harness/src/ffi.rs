//! The OpenSSL functions that the `openssl` crate lacks, each behind a small safe function.

#![allow(unsafe_code, reason = "the one place where C is called; every call says why it may be")]

use std::{
    ffi::{CStr, c_char, c_int, c_long, c_uint, c_void},
    io,
    os::fd::RawFd,
    ptr, slice,
    sync::Arc,
};

use foreign_types::ForeignTypeRef;
use openssl::{
    error::ErrorStack,
    ex_data::Index,
    ssl::{Ssl, SslContextBuilder, SslRef, SslVerifyMode},
    stack::StackRef,
    x509::{X509, X509StoreContextRef},
};
use openssl_sys::{SSL, SSL_CTX, SSL_SESSION, X509_STORE_CTX, stack_st_X509};

type MessageCallback = unsafe extern "C" fn(c_int, c_int, c_int, *const c_void, usize, *mut SSL, *mut c_void);

type TicketMade = unsafe extern "C" fn(*mut SSL, *mut c_void) -> c_int;
type TicketRead =
    unsafe extern "C" fn(*mut SSL, *mut SSL_SESSION, *const u8, usize, c_int, *mut c_void) -> c_int;
type CertificateCallback = unsafe extern "C" fn(*mut SSL, *mut c_void) -> c_int;

unsafe extern "C" {
    fn SSL_renegotiate(ssl: *mut SSL) -> c_int;
    fn SSL_renegotiate_pending(ssl: *const SSL) -> c_int;
    fn SSL_verify_client_post_handshake(ssl: *mut SSL) -> c_int;
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
    fn SSL_CTX_set_msg_callback(context: *mut SSL_CTX, callback: Option<MessageCallback>);
}

/// `SSL_CTRL_SET_DH_AUTO` of `openssl/ssl.h`.
const SET_DH_AUTO: c_int = 118;

/// Who is told what passes on one connection. Called from inside OpenSSL: must neither panic nor call OpenSSL.
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

/// Makes the next handshake step a renegotiation (up to TLS 1.2). Sends nothing by itself.
///
/// # Errors
/// OpenSSL's reason, above all that the connection is TLS 1.3.
pub(crate) fn renegotiate(ssl: &SslRef) -> Result<(), ErrorStack> {
    // SAFETY: the connection is live; the call sets flags and does no I/O. SSL_renegotiate(3)
    check(unsafe { SSL_renegotiate(ssl.as_ptr()) })
}

/// Makes the next handshake step a `KeyUpdate` (TLS 1.3), which may ask the peer for one. Sends nothing by itself.
///
/// # Errors
/// OpenSSL's reason, above all that the connection is not TLS 1.3.
pub(crate) fn key_update(ssl: &SslRef, asks: bool) -> Result<(), ErrorStack> {
    // SSL_KEY_UPDATE_NOT_REQUESTED and SSL_KEY_UPDATE_REQUESTED of `openssl/ssl.h`.
    // SAFETY: the connection is live; the call sets flags and does no I/O. SSL_key_update(3)
    check(unsafe { SSL_key_update(ssl.as_ptr(), c_int::from(asks)) })
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

/// Lets a server leave the extension `renegotiation_info` (RFC 5746) out of its ServerHello.
pub(crate) fn forget_secure_renegotiation(context: &mut SslContextBuilder) {
    // SAFETY: the context is live; the callback is a plain function that needs no argument and is only called with
    // connections of this context. SSL_CTX_set_cert_cb(3)
    unsafe {
        SSL_CTX_set_cert_cb(context.as_ptr(), Some(gauntlet_forget_secure_renegotiation), ptr::null_mut());
    }
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
pub(crate) fn verify_client_post_handshake(ssl: &SslRef) -> Result<(), ErrorStack> {
    // SAFETY: the connection is live; the call sets flags and does no I/O. SSL_verify_client_post_handshake(3)
    check(unsafe { SSL_verify_client_post_handshake(ssl.as_ptr()) })
}

/// Changes what is asked of the peer's certificate on a live connection, for the handshakes to come.
pub(crate) fn set_verify(ssl: &SslRef, mode: SslVerifyMode) {
    // SAFETY: the connection is live; without a callback the one of the context stays. SSL_set_verify(3)
    unsafe { openssl_sys::SSL_set_verify(ssl.as_ptr(), mode.bits(), None) }
}

#[allow(dead_code, reason = "for clients, which come on another branch")]
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
    let done = unsafe { openssl_sys::SSL_CTX_ctrl(context.as_ptr(), SET_DH_AUTO, mode, ptr::null_mut()) };
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

/// How many bytes wait in the send queue of a TCP socket, sent or not, until the peer acknowledges them.
///
/// # Errors
/// The kernel's.
pub(crate) fn unacknowledged(socket: RawFd) -> io::Result<usize> {
    let mut bytes: c_int = 0;
    // SAFETY: the kernel writes one int to the address it is given, and nothing on failure; SIOCOUTQ is the same
    // request as TIOCOUTQ. tcp(7)
    if unsafe { libc::ioctl(socket, libc::TIOCOUTQ, &raw mut bytes) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// Sends the first of these bytes in a segment of its own.
///
/// # Errors
/// The kernel's, above all that it takes no more now.
pub(crate) fn send_one(socket: RawFd, bytes: &[u8]) -> io::Result<usize> {
    // MSG_EOR keeps the kernel from putting the next byte into the same segment (`tcp_skb_can_collapse_to`).
    let flags = libc::MSG_EOR | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the kernel reads at most as many bytes as there are. send(2)
    let sent = unsafe { libc::send(socket, bytes.as_ptr().cast(), bytes.len().min(1), flags) };
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
