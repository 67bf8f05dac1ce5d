//! The certificates that a server shows, read while its connection is verified as every other is.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::net::{self, TransportError};
use crate::types::WebUrl;

/// Asks a server for a page, by the proxies of the environment, and gives the certificates that it showed, its own first, in DER.
///
/// # Errors
/// [`TransportError`], also for certificates that are not to be trusted.
pub async fn certificates(url: &WebUrl) -> Result<Vec<Vec<u8>>, TransportError> {
    net::init_tls();
    let setup = |error: &dyn std::fmt::Display| TransportError::Setup(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let inner = Verifier::new(Arc::clone(&provider)).map_err(|error| setup(&error))?;
    let recorder = Arc::new(Recorder { inner, shown: Mutex::default() });
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    net::connect(tls, url).await?;
    Ok(std::mem::take(&mut *recorder.shown.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// Verifies as the operating system does, and keeps what it saw.
#[derive(Debug)]
struct Recorder {
    inner: Verifier,
    shown: Mutex<Vec<Vec<u8>>>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let all = std::iter::once(end_entity).chain(intermediates).map(|der| der.to_vec()).collect();
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = all;
        self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
