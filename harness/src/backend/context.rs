//! The TLS context of a backend: everything OpenSSL can be told before a connection comes.

use std::sync::Arc;

use openssl::ssl::{
    AlpnError, ClientHelloResponse, NameType, SniError, SslAlert, SslContext, SslContextBuilder, SslMethod,
    SslMode, SslOptions, SslRef, SslSessionCacheMode, SslVerifyMode, select_next_proto,
};
use openssl::{
    error::ErrorStack,
    nid::Nid,
    stack::Stack,
    x509::{X509, X509Name},
};
use time::Duration;
use tls_gauntlet_certs::{Identity, Name, OcspKind, Pki};
use tls_gauntlet_scenarios::{
    Accepts, ApplicationProtocols, AuthorityHints, BackendProfile, CipherSuite, ClientRenegotiation,
    DemandTime, DhParameters, Fault, FaultAction, FaultPhase, Group, Need, Records, ServerCertificate,
    ServerNamePolicy, Sessions, Staple, TlsVersion,
};

use super::{shown, status, tickets};
use crate::{
    ffi,
    tls::{
        algorithms,
        context::{add_key, identify, limit_versions, trust},
        old_ciphers,
    },
    wire::observer,
};

/// The identity that a backend shows, and the authorities whose clients it trusts.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its certificate and key.
    pub identity: Arc<Identity>,
    /// The roots of the client certificates it takes.
    pub client_roots: Vec<X509>,
}

/// The parts of a profile on which the context depends; backends that agree in them share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Settings {
    versions: Vec<TlsVersion>,
    ciphers: Option<Vec<CipherSuite>>,
    accepts: Option<Accepts>,
    groups: Option<Vec<Group>>,
    dh_parameters: Option<DhParameters>,
    certificate: ServerCertificate,
    /// Where that says its status is to be had.
    status_url: Option<String>,
    expires_in: Duration,
    staple: Option<Staple>,
    client_certificate: Option<(DemandTime, Need)>,
    renegotiates: bool,
    server_name: Option<ServerNamePolicy>,
    application_protocols: Option<ApplicationProtocols>,
    authority_hints: Option<AuthorityHints>,
    refuses_after_handshake: bool,
    client_renegotiation: Option<ClientRenegotiation>,
    pads_records: bool,
    sessions: Option<Sessions>,
    offers_early_data: bool,
    stops_at_client_hello: bool,
    takes_any_client: bool,
}

impl Settings {
    /// `status_url` is where the certificate says that its status is to be had, and `expires_in` how long it lasts, if it is one
    /// of those.
    pub(super) fn of(profile: &BackendProfile, status_url: Option<&str>, expires_in: Duration) -> Self {
        Self {
            versions: profile.versions().iter().collect(),
            ciphers: profile.ciphers.clone(),
            accepts: profile.accepts,
            groups: profile.groups.clone(),
            dh_parameters: profile.dh_parameters,
            certificate: profile.certificate(),
            status_url: status_url.map(str::to_owned),
            expires_in,
            staple: profile.staple,
            client_certificate: profile.client_certificate.map(|demand| (demand.asked, demand.need)),
            renegotiates: profile.renegotiation.is_some(),
            server_name: profile.server_name,
            application_protocols: profile.application_protocols,
            authority_hints: profile.authority_hints,
            refuses_after_handshake: profile.refuses_in_http.is_some() || profile.refuses_in_tls.is_some(),
            client_renegotiation: profile.client_renegotiation,
            pads_records: profile.records == Some(Records::Padded),
            sessions: profile.sessions,
            offers_early_data: profile.early_data.is_some(),
            stops_at_client_hello: profile.fault.is_some_and(stops_at_client_hello),
            takes_any_client: false,
        }
    }

    /// This context with every client certificate taken, whatever its issuer.
    pub(super) fn taking_any_client(self) -> Self {
        Self { takes_any_client: true, ..self }
    }

    /// The settings for connections whose ClientHello is not answered, whatever the profile says.
    pub(super) fn stopping(&self) -> Self {
        Self { stops_at_client_hello: true, ..self.clone() }
    }

    /// The settings for connections on which the fault does not show.
    pub(super) fn without_fault(&self) -> Self {
        Self { stops_at_client_hello: false, ..self.clone() }
    }

    /// The identity to show.
    pub(super) fn identity(
        &self,
        pki: &Pki,
        names: &[Name],
    ) -> Result<Arc<Identity>, tls_gauntlet_certs::Error> {
        let circumstances = status::circumstances(self.status_url.as_deref(), self.expires_in);
        pki.server_in(self.certificate, names, &circumstances)
    }

    /// These settings once the certificate has been renewed.
    pub(super) fn renewed(self, profile: &BackendProfile) -> Self {
        let next = profile.renewal.map(|renewal| renewal.certificate).or(profile.renegotiates_as);
        let certificate = next.unwrap_or(self.certificate);
        Self { certificate, ..self }
    }

    /// These settings with another certificate, whatever the server name.
    fn showing(&self, certificate: ServerCertificate) -> Self {
        Self { certificate, accepts: None, server_name: None, staple: None, ..self.clone() }
    }

    /// HTTP/2 forbids both renegotiation and post-handshake authentication (RFC 9113 9.2.1, 9.2.3), so a
    /// backend that wants one of them after the request speaks HTTP/1.1 only, as IIS and httpd do.
    fn protocols(&self) -> &'static [u8] {
        let late = matches!(self.client_certificate, Some((DemandTime::AfterRequest, _)));
        match self.application_protocols {
            Some(ApplicationProtocols::H2Only | ApplicationProtocols::H2SpokenAsH1) => b"\x02h2",
            Some(ApplicationProtocols::H1Only) => b"\x08http/1.1",
            _ if late || self.renegotiates => b"\x08http/1.1",
            _ => b"\x02h2\x08http/1.1",
        }
    }
}

/// Whether a fault strikes before the ClientHello is answered.
pub(super) fn stops_at_client_hello(fault: Fault) -> bool {
    fault.at == FaultPhase::ClientHello && !matches!(fault.does, FaultAction::Drip | FaultAction::RefuseSplit)
}

/// The treatment of the client's certificate in a handshake.
pub(super) fn verify_mode(need: Need) -> SslVerifyMode {
    match need {
        Need::Optional => SslVerifyMode::PEER,
        Need::Required => SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
    }
}

/// Makes the context.
pub(super) fn server(
    settings: &Settings,
    pki: &Pki,
    client_roots: &[X509],
    names: &Arc<[Name]>,
) -> Result<SslContext, Box<dyn std::error::Error + Send + Sync>> {
    let held = Held { identity: settings.identity(pki, names)?, client_roots: client_roots.to_vec() };
    server_with(settings, &held, pki, names)
}

/// Makes the context with another certificate, and other clients to trust.
pub(super) fn server_with(
    settings: &Settings,
    held: &Held,
    pki: &Pki,
    names: &Arc<[Name]>,
) -> Result<SslContext, Box<dyn std::error::Error + Send + Sync>> {
    let mut context = offers(settings)?;
    keep_sessions(&mut context, settings)?;
    allow_renegotiation(&mut context, settings.client_renegotiation);
    if settings.pads_records {
        ffi::pad_records(&mut context, 4096)?;
    }
    if settings.accepts == Some(Accepts::Everything) {
        let rsa = settings.showing(ServerCertificate::GoodRsa).identity(pki, names)?;
        add_key(&mut context, &rsa)?;
    }
    identify(&mut context, &held.identity)?;
    if let Some(staple) = settings.staple {
        let response = pki.ocsp(&held.identity, response(staple))?;
        context.set_status_callback(move |ssl| ssl.set_ocsp_status(&response).map(|()| true))?;
    }
    if let Some((asked, need)) = settings.client_certificate {
        trust_clients(&mut context, &held.client_roots, settings.authority_hints)?;
        let mode = match asked {
            DemandTime::Handshake if settings.refuses_after_handshake => SslVerifyMode::PEER,
            DemandTime::Handshake => verify_mode(need),
            DemandTime::AfterRequest => SslVerifyMode::NONE,
        };
        let goes_on = settings.refuses_after_handshake || settings.takes_any_client;
        shown::install(&mut context, mode, (goes_on, settings.takes_any_client), pki)?;
    }
    if let Some(policy) = settings.server_name {
        look_at_server_name(&mut context, policy, settings, (pki, &held.client_roots), names)?;
    }
    if settings.stops_at_client_hello {
        // The handshake then returns to its caller, which never takes it up again.
        context.set_client_hello_callback(|_, _| Ok(ClientHelloResponse::RETRY));
    }
    select_protocol(&mut context, settings);
    observer::install(&mut context);
    Ok(context.build())
}

/// A context with the versions, cipher suites and groups of the settings, and without sessions.
fn offers(settings: &Settings) -> Result<SslContextBuilder, ErrorStack> {
    old_ciphers::load()?;
    let mut context = SslContext::builder(SslMethod::tls_server())?;
    // Level 0 and "ALL": a backend must be able to do what no current server would; what it does is then set.
    context.set_security_level(0);
    context.set_cipher_list("ALL:!aNULL:!eNULL:@SECLEVEL=0")?;
    if let Some(ciphers) = &settings.ciphers {
        algorithms::set_ciphers(&mut context, ciphers)?;
    }
    if settings.accepts == Some(Accepts::Everything) {
        context.set_cipher_list("ALL:COMPLEMENTOFALL:@SECLEVEL=0")?;
        context.set_ciphersuites(TLS13_SUITES)?;
        context.set_options(SslOptions::CIPHER_SERVER_PREFERENCE);
    }
    if let Some(groups) = &settings.groups {
        algorithms::set_groups(&mut context, groups)?;
    }
    let strength = match settings.dh_parameters {
        None => ffi::DhStrength::AsCertificate,
        Some(DhParameters::Bits1024) => ffi::DhStrength::Bits1024,
    };
    ffi::dh_auto(&mut context, strength)?;
    context
        .set_mode(SslMode::AUTO_RETRY | SslMode::ACCEPT_MOVING_WRITE_BUFFER | SslMode::ENABLE_PARTIAL_WRITE);
    limit_versions(&mut context, settings.versions.iter().copied())?;
    forget_sessions(&mut context)?;
    Ok(context)
}

/// Every suite of TLS 1.3, those with CCM too, which OpenSSL leaves out unless they are named.
const TLS13_SUITES: &str = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:\
                            TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256";

/// Resumption, where the settings want it.
fn keep_sessions(context: &mut SslContextBuilder, settings: &Settings) -> Result<(), ErrorStack> {
    match settings.sessions {
        None => {}
        Some(Sessions::Ids) => {
            context.set_session_cache_mode(SslSessionCacheMode::SERVER);
        }
        Some(kind) => {
            context.clear_options(SslOptions::NO_TICKET);
            context.set_num_tickets(2)?;
            if kind == Sessions::TicketsRefused {
                ffi::refuse_tickets(context)?;
            } else {
                tickets::install(context)?;
            }
        }
    }
    if settings.offers_early_data {
        context.set_max_early_data(EARLY_DATA)?;
        // With the protection, tickets would be numbers of sessions that are kept here, each for one use
        // (SSL_read_early_data(3)).
        context.set_options(NO_ANTI_REPLAY);
    }
    Ok(())
}

fn allow_renegotiation(context: &mut SslContextBuilder, asked_by_client: Option<ClientRenegotiation>) {
    match asked_by_client {
        None => {}
        Some(ClientRenegotiation::Allowed) => {
            context.set_options(ALLOW_CLIENT_RENEGOTIATION);
        }
        Some(ClientRenegotiation::UnsafeAllowed) => {
            context.set_options(ALLOW_CLIENT_RENEGOTIATION | SslOptions::ALLOW_UNSAFE_LEGACY_RENEGOTIATION);
        }
        Some(ClientRenegotiation::NotIndicated) => ffi::forget_secure_renegotiation(context),
    }
}

/// Applies the policy for the server name that a client sends.
fn look_at_server_name(
    context: &mut SslContextBuilder,
    policy: ServerNamePolicy,
    settings: &Settings,
    (pki, client_roots): (&Pki, &[X509]),
    names: &Arc<[Name]>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    match policy {
        ServerNamePolicy::HostMustMatch => {}
        ServerNamePolicy::Required => require_server_name(context, known_names(settings, names)?),
        ServerNamePolicy::RequiredCloses => {
            let names = known_names(settings, names)?;
            context.set_client_hello_callback(move |ssl, _| {
                let known = offered_name(ssl).is_some_and(|name| is_known(&names, name));
                // RETRY pauses the handshake; the connection is closed in that pause.
                Ok(if known { ClientHelloResponse::SUCCESS } else { ClientHelloResponse::RETRY })
            });
        }
        ServerNamePolicy::CertificatePerName => {
            let other = server(&settings.showing(ServerCertificate::WrongName), pki, client_roots, names)?;
            show_other_certificate(context, other, |name| name == Some(tls_gauntlet_certs::WRONG_NAME));
        }
        ServerNamePolicy::WrongCertificateWithout => {
            let other = server(&settings.showing(ServerCertificate::WrongName), pki, client_roots, names)?;
            show_other_certificate(context, other, |name| name.is_none());
        }
    }
    Ok(())
}

/// Goes on with another context where the server name is one of these.
fn show_other_certificate(
    context: &mut SslContextBuilder,
    other: SslContext,
    is_for: fn(Option<&str>) -> bool,
) {
    context.set_servername_callback(move |ssl, _| {
        if is_for(ssl.servername(NameType::HOST_NAME)) {
            // Fails only without memory; the connection then goes on with the first certificate.
            let _without_memory = ssl.set_ssl_context(&other);
        }
        Ok(())
    });
}

fn select_protocol(context: &mut SslContextBuilder, settings: &Settings) {
    let protocols = settings.protocols();
    match settings.application_protocols {
        Some(ApplicationProtocols::Ignored) => {}
        Some(ApplicationProtocols::Refused) => {
            context.set_alpn_select_callback(|_, _| Err(AlpnError::ALERT_FATAL));
        }
        Some(ApplicationProtocols::Unoffered) => {
            context.set_alpn_select_callback(|_, _| Ok(b"gauntlet/1"));
        }
        Some(
            ApplicationProtocols::H1Only | ApplicationProtocols::H2Only | ApplicationProtocols::H2SpokenAsH1,
        )
        | None => {
            let without_a_common_one = match settings.accepts {
                None => AlpnError::ALERT_FATAL,
                Some(Accepts::Everything) => AlpnError::NOACK,
            };
            context.set_alpn_select_callback(move |_, offered| {
                select_next_proto(protocols, offered).ok_or(without_a_common_one)
            });
        }
    }
}

const fn response(staple: Staple) -> OcspKind {
    match staple {
        Staple::Good => OcspKind::Good,
        Staple::Revoked => OcspKind::Revoked,
        Staple::Expired => OcspKind::Expired,
        Staple::Garbage => OcspKind::Garbage,
    }
}

/// A resumed handshake checks no client certificate, so that none may be resumed; nor may a renegotiation be a
/// resumption, or the client is never asked for its certificate.
fn forget_sessions(context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    context.set_num_tickets(0)?;
    context.set_options(SslOptions::NO_TICKET | SslOptions::NO_SESSION_RESUMPTION_ON_RENEGOTIATION);
    // SSL_CTX_set_verify(3): without it, asking for certificates fails as soon as a client offers a session.
    context.set_session_id_context(b"gauntlet")
}

/// The most early data that a client may send, in bytes: a record's worth.
const EARLY_DATA: u32 = 16384;

/// `SSL_OP_NO_ANTI_REPLAY` of `openssl/ssl.h`, for which the binding has no name.
const NO_ANTI_REPLAY: SslOptions = SslOptions::from_bits_retain(1 << 24);

/// `SSL_OP_ALLOW_CLIENT_RENEGOTIATION` of `openssl/ssl.h`, for which the binding has no name.
const ALLOW_CLIENT_RENEGOTIATION: SslOptions = SslOptions::from_bits_retain(1 << 8);

fn trust_clients(
    context: &mut SslContextBuilder,
    roots: &[X509],
    hints: Option<AuthorityHints>,
) -> Result<(), ErrorStack> {
    trust(context, roots, None)?;
    let mut names = Stack::new()?;
    let right = |names: &mut Stack<X509Name>| {
        roots.iter().try_for_each(|root| names.push(root.subject_name().to_owned()?))
    };
    match hints {
        None => right(&mut names)?,
        Some(AuthorityHints::Empty) => {}
        Some(AuthorityHints::Wrong) => names.push(authority("Nobody's Authority")?)?,
        Some(AuthorityHints::Huge) => {
            for number in 1..=500 {
                names.push(authority(&format!("Authority {number} of a long list of authorities"))?)?;
            }
            right(&mut names)?;
        }
    }
    context.set_client_ca_list(names);
    Ok(())
}

fn authority(name: &str) -> Result<X509Name, ErrorStack> {
    let mut builder = X509Name::builder()?;
    builder.append_entry_by_nid(Nid::COMMONNAME, name)?;
    Ok(builder.build())
}

/// The names it goes by, and the one that its certificate is for.
fn known_names(settings: &Settings, names: &[Name]) -> Result<Vec<Name>, tls_gauntlet_certs::Error> {
    let dialled = names.iter().filter_map(|name| match name {
        Name::Dns(host) => Some(settings.certificate.dialled(host.trim_start_matches("*.")).parse()),
        Name::Ip(_) => None,
    });
    names.iter().cloned().map(Ok).chain(dialled).collect()
}

fn require_server_name(context: &mut SslContextBuilder, names: Vec<Name>) {
    context.set_servername_callback(move |ssl, alert| {
        let known = ssl.servername(NameType::HOST_NAME).is_some_and(|asked| is_known(&names, asked));
        if known {
            return Ok(());
        }
        *alert = SslAlert::UNRECOGNIZED_NAME;
        Err(SniError::ALERT_FATAL)
    });
}

/// The server name, before OpenSSL has looked at the extensions: a list of entries, each a type, a length and a name
/// (RFC 6066 3). Clients send one entry.
fn offered_name(ssl: &SslRef) -> Option<&str> {
    let [_, _, 0, high, low, name @ ..] = ffi::server_name_extension(ssl)? else {
        return None;
    };
    let name = name.get(..usize::from(u16::from_be_bytes([*high, *low])))?;
    std::str::from_utf8(name).ok()
}

fn is_known(names: &[Name], asked: &str) -> bool {
    names.iter().any(|name| match name {
        Name::Dns(name) => match name.strip_prefix("*.") {
            // The star stands for exactly one label (RFC 9525 6.3).
            Some(above) => asked.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(above)),
            None => name.eq_ignore_ascii_case(asked),
        },
        Name::Ip(_) => false,
    })
}
