//! A throw-away test CA (ECDSA P-256): one server certificate and N client certificates.
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use std::{fs, path::Path};

pub fn generate(dir: &Path, clients: usize) -> Result<(), Box<dyn std::error::Error>> {
    fs::create_dir_all(dir.join("c"))?;
    let ca_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut p = CertificateParams::new(vec![])?;
    p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    p.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    p.distinguished_name.push(DnType::CommonName, "bench test CA");
    let ca = p.self_signed(&ca_key)?;
    fs::write(dir.join("ca.pem"), ca.pem())?;
    let issuer = Issuer::new(p, ca_key);

    let k = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut p = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()])?;
    p.distinguished_name.push(DnType::CommonName, "localhost");
    p.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    fs::write(dir.join("server.pem"), p.signed_by(&k, &issuer)?.pem())?;
    fs::write(dir.join("server.key"), k.serialize_pem())?;

    for i in 0..clients {
        let k = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut p = CertificateParams::new(vec![])?;
        p.distinguished_name.push(DnType::CommonName, format!("dev-{i:06}"));
        // rumqttd takes the tenant from O
        p.distinguished_name.push(DnType::OrganizationName, "bench");
        p.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        fs::write(dir.join(format!("c/{i:06}.pem")), p.signed_by(&k, &issuer)?.pem())?;
        fs::write(dir.join(format!("c/{i:06}.key")), k.serialize_pem())?;
    }
    Ok(())
}
