//! A queue that forgets its oldest item instead of growing.

use std::collections::VecDeque;

/// The last few items, oldest first.
#[derive(Debug, Clone)]
pub(crate) struct Ring<T> {
    items: VecDeque<T>,
    capacity: usize,
}

impl<T> Ring<T> {
    /// Room for `capacity` items, at least one.
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self { items: VecDeque::with_capacity(capacity), capacity }
    }

    /// Adds the newest; returns what fell out.
    pub(crate) fn push(&mut self, item: T) -> Option<T> {
        let out = if self.items.len() >= self.capacity { self.items.pop_front() } else { None };
        self.items.push_back(item);
        out
    }

    /// The item `back` places before the newest.
    pub(crate) fn back(&self, back: usize) -> Option<&T> {
        self.items.len().checked_sub(back.checked_add(1)?).and_then(|at| self.items.get(at))
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> std::collections::vec_deque::Iter<'_, T> {
        self.items.iter()
    }

    /// The items `from` to `to` places before the newest (`from` the further back), oldest first, each with its distance from the newest.
    pub(crate) fn between(&self, from: usize, to: usize) -> impl DoubleEndedIterator<Item = (usize, &T)> {
        let newest = self.items.len();
        let first = newest.saturating_sub(from.saturating_add(1));
        let end = newest.saturating_sub(to).max(first);
        self.items.range(first..end).enumerate().map(move |(n, item)| (newest - 1 - first - n, item))
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn clear(&mut self) {
        self.items.clear();
    }

    /// Bytes behind the pointer.
    pub(crate) fn bytes(&self) -> usize {
        self.items.capacity() * size_of::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_falls_out() {
        let mut ring = Ring::new(3);
        assert_eq!((1..=5).filter_map(|n| ring.push(n)).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(ring.back(0), Some(&5));
        assert_eq!(ring.back(3), None);
        assert_eq!(ring.between(1, 0).map(|(_, n)| *n).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(ring.between(9, 1).collect::<Vec<_>>(), [(2, &3), (1, &4)]);
        assert_eq!(ring.between(0, 2).count(), 0);
    }
}
