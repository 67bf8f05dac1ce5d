//! The test authority: a root made at start, and a certificate for each host when it is first called.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::StartError;

/// Signs certificates for any host name; nobody trusts it but clients that are told to.
pub(crate) struct Authority {
    root: CertifiedIssuer<'static, KeyPair>,
    configs: Mutex<HashMap<String, Arc<ServerConfig>>>,
}

impl Authority {
    /// A new authority with a new key.
    pub(crate) fn new() -> Result<Self, StartError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name = Default::default();
        params.distinguished_name.push(DnType::CommonName, "Sandbox test authority");
        let key = KeyPair::generate().map_err(StartError::from_any)?;
        let root = CertifiedIssuer::self_signed(params, key).map_err(StartError::from_any)?;
        Ok(Self { root, configs: Mutex::new(HashMap::new()) })
    }

    /// The root certificate in PEM.
    pub(crate) fn root_pem(&self) -> String {
        self.root.pem()
    }

    /// TLS settings of a server with this name.
    pub(crate) fn server(&self, name: &str) -> Result<Arc<ServerConfig>, StartError> {
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = configs.get(name) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.make(name)?);
        configs.insert(name.to_owned(), Arc::clone(&config));
        Ok(config)
    }

    fn make(&self, name: &str) -> Result<ServerConfig, StartError> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).map_err(StartError::from_any)?;
        params.distinguished_name = Default::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(StartError::from_any)?;
        let certificate = params.signed_by(&key, &self.root).map_err(StartError::from_any)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(StartError::from_any)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone(), self.root.der().clone()], key)
            .map_err(StartError::from_any)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// A certificate signed by itself that ends after so many days.
pub(crate) fn signing_certificate(days: i32) -> Option<Vec<u8>> {
    let end = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date().checked_add(jiff::Span::new().days(days)).ok()?;
    let part = |number: i8| u8::try_from(number).ok();
    let mut params = CertificateParams::default();
    params.distinguished_name = Default::default();
    params.distinguished_name.push(DnType::CommonName, "idp.acme.example");
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    params.not_after = rcgen::date_time_ymd(end.year().into(), part(end.month())?, part(end.day())?);
    Some(params.self_signed(&KeyPair::generate().ok()?).ok()?.der().to_vec())
}
