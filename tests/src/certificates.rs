//! Keys and certificates of one test run, and the kubeconfig files that use them.
//!
//! Everything is made anew for a run and lies in its folder. It trusts nobody outside and is of no use after the run.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use serde_json::json;

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate's path.
    pub certificate: PathBuf,
    /// The private key's path.
    pub key: PathBuf,
}

/// The run's own certificate authority; it writes into one folder.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    /// A new authority, its certificate at [`Authority::certificate`].
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn new(folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "gantry-tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let authority = Self { issuer, folder: folder.to_owned() };
        write(&authority.certificate(), &authority.issuer.pem())?;
        Ok(authority)
    }

    /// The path of the authority's own certificate.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// A certificate for a server on 127.0.0.1.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn server(&self, name: &str) -> Result<Identity> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
        params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(name, params)
    }

    /// A certificate for the Kubernetes user `user`, in `group` where given.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn client(&self, user: &str, group: Option<&str>) -> Result<Identity> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(user, params)
    }

    /// A kubeconfig file of `identity` for the API server at `server`.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn kubeconfig(&self, name: &str, server: &str, identity: &Identity) -> Result<PathBuf> {
        let path = self.folder.join(format!("{}.kubeconfig", name.replace(':', "-")));
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": self.certificate()}}],
            "users": [{"name": name, "user": {"client-certificate": identity.certificate, "client-key": identity.key}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
            "current-context": "test",
        });
        write(&path, &config.to_string())?;
        Ok(path)
    }

    fn issue(&self, name: &str, mut params: CertificateParams) -> Result<Identity> {
        let key = KeyPair::generate()?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        let certificate = params.signed_by(&key, &self.issuer)?;
        let file = name.replace(':', "-");
        let identity = Identity {
            certificate: self.folder.join(format!("{file}.crt")),
            key: self.folder.join(format!("{file}.key")),
        };
        write(&identity.certificate, &certificate.pem())?;
        write(&identity.key, &key.serialize_pem())?;
        Ok(identity)
    }
}

/// The key pair with which kube-apiserver signs service account tokens: `certificate` is the bare public key.
///
/// # Errors
/// The folder cannot be written.
pub fn service_account_keys(folder: &Path) -> Result<Identity> {
    let pair = KeyPair::generate()?;
    let keys = Identity { certificate: folder.join("service-account.pub"), key: folder.join("service-account.key") };
    write(&keys.certificate, &pair.public_key_pem())?;
    write(&keys.key, &pair.serialize_pem())?;
    Ok(keys)
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
