//! As much of MQTT as it takes to be rude: packets written by hand over real TLS, for what a well-behaved client does not send.

use crate::support::{PATIENCE, Papers, Server};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A TLS 1.3 client that trusts `root` and shows `papers`, if any.
pub(crate) fn tls(root: &Path, papers: Option<&Papers>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match papers {
        Some(papers) => {
            let chain = CertificateDer::pem_file_iter(&papers.pem).unwrap().map(Result::unwrap).collect();
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&papers.pem).unwrap()).unwrap()
        }
        None => builder.with_no_client_auth(),
    })
}

/// Connects to `address` as `localhost`, handshake included as far as this side sees it.
pub(crate) fn connect_tls(
    address: SocketAddr,
    config: Arc<ClientConfig>,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut connection = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(connection, socket))
}

/// A CONNECT packet.
pub(crate) fn connect_packet(version: u8, client_id: &str) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', version, 2, 0, 60];
    if version == 5 {
        body.push(0);
    }
    text(&mut body, client_id);
    packet(0x10, &body)
}

/// A PUBLISH packet of MQTT 5 with packet identifier 1. `flags`: DUP, QoS and RETAIN; `properties`: as they go over the wire.
pub(crate) fn publish_packet(flags: u8, topic: &str, properties: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, topic);
    if flags & 0b0110 != 0 {
        body.extend([0, 1]);
    }
    body.push(u8::try_from(properties.len()).unwrap());
    body.extend(properties);
    body.extend(payload);
    packet(0x30 | flags, &body)
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    out.extend(text.as_bytes());
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut rest = body.len();
    loop {
        let digit = u8::try_from(rest % 128).unwrap();
        rest /= 128;
        out.push(if rest > 0 { digit | 128 } else { digit });
        if rest == 0 {
            break;
        }
    }
    out.extend(body);
    out
}

/// A session of MQTT 5.
pub(crate) struct Mqtt(StreamOwned<ClientConnection, TcpStream>);

impl Mqtt {
    /// Connects and is accepted.
    pub(crate) fn connect(server: &Server, papers: &Papers) -> Self {
        let mut mqtt = Self(connect_tls(server.gateway, tls(&server.root, Some(papers))).unwrap());
        mqtt.send(&connect_packet(5, &papers.device));
        let (first, body) = mqtt.receive().unwrap();
        assert_eq!((first, body[1]), (0x20, 0), "CONNACK");
        mqtt
    }

    pub(crate) fn send(&mut self, packet: &[u8]) {
        self.0.write_all(packet).unwrap();
        self.0.flush().unwrap();
    }

    /// How long [`Mqtt::receive`] waits.
    pub(crate) fn wait_at_most(&self, patience: Duration) {
        self.0.sock.set_read_timeout(Some(patience)).unwrap();
    }

    /// The next packet: first byte and what follows the length. Answers here are shorter than 128 bytes.
    pub(crate) fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head)?;
        assert!(head[1] < 128);
        let mut body = vec![0; usize::from(head[1])];
        self.0.read_exact(&mut body)?;
        Ok((head[0], body))
    }

    /// The reason of the DISCONNECT that comes next, followed by the end of the connection.
    pub(crate) fn disconnected(&mut self) -> u8 {
        let (first, body) = self.receive().unwrap();
        assert_eq!(first, 0xE0, "DISCONNECT, not {first:#x} {body:?}");
        assert!(self.receive().is_err(), "the connection is closed");
        body[0]
    }
}
