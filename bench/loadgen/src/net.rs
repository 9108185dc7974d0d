//! Sockets: loopback only.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::net::{TcpSocket, TcpStream};

pub fn loopback_only(addr: SocketAddr) -> io::Result<SocketAddr> {
    if addr.ip().is_loopback() {
        Ok(addr)
    } else {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "loopback addresses only"))
    }
}

/// Connects from 127.0.0.(1 + source), so that storms and many idle connections do not run out of ephemeral ports (one range for each
/// source address).
pub async fn connect(addr: SocketAddr, source: u8) -> io::Result<TcpStream> {
    let addr = loopback_only(addr)?;
    let sock = TcpSocket::new_v4()?;
    if source > 0 {
        sock.set_reuseaddr(true)?;
        sock.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1 + source)), 0))?;
    }
    let stream = sock.connect(addr).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
