//! What all connections of a door share: the context, the registry, counters, and who is connected from where.

use crate::context::GatewayContext;
use crate::refusal::{Counters, Refusal};
use crate::sessions::{Sessions, Ticks};
use obhut_store::Health;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use tokio::sync::Notify;

/// One per door.
pub(crate) struct Shared {
    pub(crate) context: GatewayContext,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) ticks: Ticks,
    store: AtomicU8,
    stopping: AtomicBool,
    open: AtomicUsize,
    gone: Notify,
    addresses: Mutex<HashMap<IpAddr, Address>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Address {
    connections: usize,
    handshakes: usize,
}

impl Shared {
    pub(crate) fn new(context: GatewayContext) -> Arc<Self> {
        let sessions = Sessions::new(Arc::clone(&context.live), context.limits.commands_max);
        Arc::new(Self {
            context,
            sessions: Arc::new(sessions),
            counters: Arc::default(),
            ticks: Ticks::default(),
            store: AtomicU8::new(0),
            stopping: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            gone: Notify::new(),
            addresses: Mutex::default(),
        })
    }

    /// Looks at the store; true if it has just become unable to keep anything, and those who wait must be told.
    pub(crate) fn watch_store(&self) -> bool {
        let state = match self.context.readings.health() {
            Health::Good => 0,
            Health::DiskFull => 1,
            Health::Failed(_) => 2,
        };
        let before = self.store.swap(state, Ordering::AcqRel);
        state != 0 && state != before
    }

    /// Why nothing becomes durable at the moment, if so.
    pub(crate) fn store_refusal(&self) -> Option<Refusal> {
        match self.store.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Refusal::DiskFull),
            _ => Some(Refusal::StoreFailed),
        }
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Waits until no connection is open.
    pub(crate) async fn all_gone(&self) {
        loop {
            let gone = self.gone.notified();
            if self.open() == 0 {
                return;
            }
            gone.await;
        }
    }

    /// Admits one more connection from `address`, with its handshake; `None` if there are too many.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Entry> {
        let limits = &self.context.limits;
        let mut addresses = self.addresses.lock();
        let from = addresses.entry(address).or_default();
        let full = self.open() >= limits.connections_max
            || from.connections >= limits.connections_per_address_max
            || from.handshakes >= limits.handshakes_per_address_max;
        if full {
            if from.connections == 0 {
                addresses.remove(&address);
            }
            return None;
        }
        from.connections += 1;
        from.handshakes += 1;
        self.open.fetch_add(1, Ordering::AcqRel);
        Some(Entry { shared: Arc::clone(self), address, shaking_hands: true })
    }

    fn leave(&self, address: IpAddr, update: impl FnOnce(&mut Address)) {
        let mut addresses = self.addresses.lock();
        if let Some(from) = addresses.get_mut(&address) {
            update(from);
            if from.connections == 0 {
                addresses.remove(&address);
            }
        }
    }
}

/// A connection that was let in; dropping it makes room.
pub(crate) struct Entry {
    shared: Arc<Shared>,
    address: IpAddr,
    shaking_hands: bool,
}

impl Entry {
    /// The handshake is over.
    pub(crate) fn shook_hands(&mut self) {
        if std::mem::take(&mut self.shaking_hands) {
            self.shared.leave(self.address, |from| from.handshakes = from.handshakes.saturating_sub(1));
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.shook_hands();
        self.shared.leave(self.address, |from| from.connections = from.connections.saturating_sub(1));
        if self.shared.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.gone.notify_waiters();
        }
    }
}
