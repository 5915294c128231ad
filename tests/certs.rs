//! Certificates and keys of one control plane, gone with it.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

/// Files in PEM for the API server and its clients.
#[derive(Clone, Debug)]
pub struct Certs {
    /// The authority that clients trust.
    pub ca: PathBuf,
    /// The API server's certificate for 127.0.0.1 and localhost.
    pub server: PathBuf,
    /// Its key.
    pub server_key: PathBuf,
    /// The public key that checks service-account tokens.
    pub service_account: PathBuf,
    /// The private key that signs them.
    pub service_account_key: PathBuf,
}

impl Certs {
    /// Makes them in `dir`.
    pub fn make(dir: &Path) -> Result<Self> {
        let authority = Authority::make(dir)?;
        let subject =
            Subject { name: "kube-apiserver", dns: &["localhost"], addresses: &["127.0.0.1"], ..Subject::default() };
        let (server, server_key) = authority.issue("apiserver", &subject)?;
        let (service_account, service_account_key) = authority.tokens("service-account")?;
        Ok(Self { ca: authority.certificate(), server, server_key, service_account, service_account_key })
    }
}

/// Whom a certificate is for. Each may serve, and be a client.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// The user, as the API server sees a client.
    pub name: &'a str,
    /// The user's group; empty: none.
    pub group: &'a str,
    /// The names that it serves under.
    pub dns: &'a [&'a str],
    /// The addresses that it serves at.
    pub addresses: &'a [&'a str],
}

/// A certificate authority, and the folder of all that it issues. Its own key is in memory alone.
pub struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// Makes one, and writes `ca.crt`.
    pub fn make(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let issuer = authority().context("cannot make a certificate authority")?;
        let authority = Self { folder: folder.to_owned(), issuer };
        authority.write("ca.crt", &authority.issuer.pem())?;
        Ok(authority)
    }

    /// Its own certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// Writes `<file>.crt` and `<file>.key`.
    pub fn issue(&self, file: &str, subject: &Subject<'_>) -> Result<(PathBuf, PathBuf)> {
        let (certificate, key) =
            issue(&self.issuer, subject).with_context(|| format!("cannot make a certificate for {}", subject.name))?;
        Ok((self.write(&format!("{file}.crt"), &certificate)?, self.write(&format!("{file}.key"), &key)?))
    }

    /// Writes `<file>.pub` and `<file>.key`: by the first tokens are checked that are signed by the second.
    pub fn tokens(&self, file: &str) -> Result<(PathBuf, PathBuf)> {
        let tokens = KeyPair::generate().context("cannot make a service-account key")?;
        let public = self.write(&format!("{file}.pub"), &tokens.public_key_pem())?;
        Ok((public, self.write(&format!("{file}.key"), &tokens.serialize_pem())?))
    }

    fn write(&self, name: &str, pem: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        std::fs::write(&path, pem).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "ordinal tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn issue(issuer: &CertifiedIssuer<'_, KeyPair>, subject: &Subject<'_>) -> Result<(String, String)> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, subject.name);
    if !subject.group.is_empty() {
        params.distinguished_name.push(DnType::OrganizationName, subject.group);
    }
    for address in subject.addresses {
        params.subject_alt_names.push(SanType::IpAddress(address.parse::<IpAddr>()?));
    }
    for &name in subject.dns {
        params.subject_alt_names.push(SanType::DnsName(name.try_into()?));
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, issuer)?;
    Ok((certificate.pem(), key.serialize_pem()))
}
