//! What an instance remembers of sequence numbers, so that no advert counts twice. Pure: the
//! clock's value comes in.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::config::model::{AntiReplay, Hmac, HmacMode};
use crate::types::Secret;
use crate::wire::auth::ah;
use crate::wire::auth::hmac::{self, KeyId, Sequence, TRAILER_LEN, Trailer};
use crate::wire::vrrp::{Rejected, Unproven};

/// Senders that a multicast instance remembers. keepalived's number.
const SENDERS: usize = 4;

/// See the module. It outlives a reload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Authenticator {
    headers: Counter,
    last_signed: Option<Sequence>,
    marks: Marks,
}

/// An advert that was signed rightly, or need not be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Proven {
    /// Whole seconds between the sender's clock and ours.
    pub skew: Duration,
}

impl Authenticator {
    /// The number of the next advert with an authentication header; `None` once all are used.
    pub(super) fn next_header(&mut self) -> Option<u32> {
        self.headers.next()
    }

    /// No number is left for an authentication header.
    pub(super) fn is_used_up(&self) -> bool {
        self.headers.last == u32::MAX
    }

    /// After a term as Active has ended, used-up numbers begin anew.
    pub(super) fn end_term(&mut self) {
        self.headers.renew();
    }

    /// Judges an authentication header.
    pub(super) fn check_header(
        &mut self,
        key: &Secret,
        source: IpAddr,
        header: &ah::Header<'_>,
    ) -> Result<(), Rejected> {
        if !header.is_authentic(key) {
            return Err(Rejected::AuthFailure);
        }
        self.headers.accept(source, header.sequence)
    }

    /// The trailer for `message`, if adverts are signed.
    pub(super) fn sign(
        &mut self,
        hmac: &Hmac,
        since_epoch: Duration,
        source: IpAddr,
        message: &[u8],
    ) -> Option<[u8; TRAILER_LEN]> {
        if hmac.mode == HmacMode::ReceiveOnly {
            return None;
        }
        let key = hmac.keys.get(&hmac.active)?;
        let sequence = self.next_sequence(hmac, Sequence::at(since_epoch));
        Some(hmac::sign(key, hmac.active, sequence, source, message))
    }

    /// Never the same twice: the clock's if that is later than the last, else the one after it.
    /// A clock that was set back by more than peers bear begins anew.
    fn next_sequence(&mut self, hmac: &Hmac, clock: Sequence) -> Sequence {
        let next = match self.last_signed {
            Some(last) if !clock.is_after(last) && !forgotten(hmac, last, clock) => last.next(),
            Some(_) | None => clock,
        };
        self.last_signed = Some(next);
        next
    }

    /// Judges a trailer, or the lack of one.
    pub(super) fn check_trailer(
        &mut self,
        hmac: &Hmac,
        since_epoch: Duration,
        unproven: &Unproven<'_>,
        known: bool,
    ) -> Result<Proven, Rejected> {
        let clock = Sequence::at(since_epoch);
        let Some(bytes) = unproven.trailer else {
            return match hmac.mode {
                HmacMode::Enforce => Err(Rejected::ExtensionMissing),
                HmacMode::Permissive | HmacMode::ReceiveOnly => Ok(Proven::default()),
            };
        };
        let trailer = Trailer::parse(bytes)?;
        if forgotten(hmac, trailer.sequence, clock) {
            return Err(Rejected::ExtensionStale);
        }
        let key = KeyId::new(trailer.key_id).and_then(|id| hmac.keys.get(&id));
        let key = key.ok_or(Rejected::ExtensionUnknownKey)?;
        if !trailer.is_authentic(key, unproven.source, unproven.message) {
            return Err(Rejected::ExtensionTag);
        }
        let mark = self.marks.of(unproven.source);
        let mark = mark.filter(|mark| !forgotten(hmac, *mark, clock));
        if mark.is_some_and(|mark| !trailer.sequence.is_after(mark)) {
            return Err(Rejected::ExtensionReplay);
        }
        self.marks.set(unproven.source, trailer.sequence, known);
        let skew = match hmac.anti_replay {
            AntiReplay::Time => trailer.sequence.seconds_from(clock),
            AntiReplay::Monotonic => 0,
        };
        Ok(Proven {
            skew: Duration::from_secs(skew),
        })
    }
}

/// Whether a number is so far from now that it counts for nothing.
fn forgotten(hmac: &Hmac, sequence: Sequence, clock: Sequence) -> bool {
    hmac.anti_replay == AntiReplay::Time && sequence.seconds_from(clock) > hmac.window.as_secs()
}

/// Sequence numbers of authentication headers: one row for all routers of a virtual router, as
/// keepalived counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counter {
    last: u32,
    /// Who sent it; ourselves when `None`.
    by: Option<IpAddr>,
}

impl Counter {
    fn next(&mut self) -> Option<u32> {
        let last = self.last.checked_add(1)?;
        *self = Self { last, by: None };
        Some(last)
    }

    /// Two routers may send the same number at the same moment, one router may not.
    fn accept(&mut self, source: IpAddr, sequence: u32) -> Result<(), Rejected> {
        let used = self.last == u32::MAX;
        let fresh = sequence > self.last || (sequence == self.last && self.by != Some(source));
        if !fresh && !used {
            return Err(Rejected::AuthReplay);
        }
        *self = Self {
            last: sequence,
            by: Some(source),
        };
        Ok(())
    }

    fn renew(&mut self) {
        if self.last == u32::MAX {
            *self = Self::default();
        }
    }
}

/// The latest number of each sender.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Marks {
    /// Of configured peers.
    peers: BTreeMap<IpAddr, Sequence>,
    /// Of the others, the most recent one last.
    others: Vec<(IpAddr, Sequence)>,
}

impl Marks {
    fn of(&self, source: IpAddr) -> Option<Sequence> {
        let other = || self.others.iter().find(|(s, _)| *s == source);
        let peer = self.peers.get(&source).copied();
        peer.or_else(|| other().map(|(_, mark)| *mark))
    }

    fn set(&mut self, source: IpAddr, mark: Sequence, known: bool) {
        self.others.retain(|(s, _)| *s != source);
        if known {
            self.peers.insert(source, mark);
            return;
        }
        self.others.push((source, mark));
        if self.others.len() > SENDERS {
            self.others.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::auth::hmac::Key;
    use proptest::prelude::*;

    const MESSAGE: [u8; 12] = [0x31, 51, 200, 1, 0, 100, 0, 0, 10, 0, 0, 1];
    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn id(number: u8) -> KeyId {
        KeyId::new(number).unwrap()
    }

    fn hmac(anti_replay: AntiReplay) -> Hmac {
        Hmac {
            keys: BTreeMap::from([(id(1), Key::new(&[1; 32]).unwrap())]),
            active: id(1),
            window: Duration::from_secs(5),
            anti_replay,
            mode: HmacMode::Enforce,
        }
    }

    fn source(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// What `receiver` makes of a trailer at `now`.
    fn check(
        receiver: &mut Authenticator,
        hmac: &Hmac,
        now: Duration,
        from: u8,
        trailer: Option<&[u8]>,
    ) -> Result<Proven, Rejected> {
        let unproven = Unproven {
            source: source(from),
            message: &MESSAGE,
            trailer,
        };
        receiver.check_trailer(hmac, now, &unproven, false)
    }

    fn signed(sender: &mut Authenticator, hmac: &Hmac, now: Duration, from: u8) -> Vec<u8> {
        let trailer = sender.sign(hmac, now, source(from), &MESSAGE);
        trailer.unwrap().to_vec()
    }

    #[test]
    fn an_advert_counts_once() {
        for kind in [AntiReplay::Time, AntiReplay::Monotonic] {
            let (hmac, mut one, mut two) = (
                hmac(kind),
                Authenticator::default(),
                Authenticator::default(),
            );
            let first = signed(&mut one, &hmac, NOW, 1);
            let second = signed(&mut one, &hmac, NOW, 1);
            let mut take = |bytes: &[u8]| check(&mut two, &hmac, NOW, 1, Some(bytes)).map(|_| ());
            assert_eq!(take(&first), Ok(()));
            assert_eq!(take(&first), Err(Rejected::ExtensionReplay));
            assert_eq!(take(&second), Ok(()));
            assert_eq!(take(&first), Err(Rejected::ExtensionReplay));
        }
    }

    #[test]
    fn outcomes_are_told_apart_in_order() {
        let (hmac, mut one, mut two) = (
            hmac(AntiReplay::Time),
            Authenticator::default(),
            Authenticator::default(),
        );
        let good = signed(&mut one, &hmac, NOW, 1);
        let mut reject = |change: fn(&mut Vec<u8>), now| {
            let mut bytes = good.clone();
            change(&mut bytes);
            check(&mut two, &hmac, now, 1, Some(&bytes)).unwrap_err()
        };
        let late = NOW + secs(6);
        assert_eq!(reject(|b| b[0] = 2, late), Rejected::ExtensionMalformed);
        assert_eq!(reject(|b| b[3] = 1, late), Rejected::ExtensionMalformed);
        assert_eq!(reject(|b| b[1] = 9, late), Rejected::ExtensionStale);
        assert_eq!(reject(|b| b[1] = 9, NOW), Rejected::ExtensionUnknownKey);
        assert_eq!(reject(|b| b[1] = 0, NOW), Rejected::ExtensionUnknownKey);
        assert_eq!(reject(|b| b[11] ^= 1, NOW), Rejected::ExtensionTag);
        assert_eq!(reject(|b| b[27] ^= 1, NOW), Rejected::ExtensionTag);
        let missing = check(&mut two, &hmac, NOW, 1, None).unwrap_err();
        assert_eq!(missing, Rejected::ExtensionMissing);
        // None of them has moved the mark.
        assert_eq!(two, Authenticator::default());
        assert!(check(&mut two, &hmac, NOW, 1, Some(&good)).is_ok());
    }

    #[test]
    fn modes_differ_in_what_is_demanded_and_sent() {
        for (mode, signs, demands) in [
            (HmacMode::Enforce, true, true),
            (HmacMode::Permissive, true, false),
            (HmacMode::ReceiveOnly, false, false),
        ] {
            let hmac = Hmac {
                mode,
                ..hmac(AntiReplay::Time)
            };
            let mut state = Authenticator::default();
            let trailer = state.sign(&hmac, NOW, source(1), &MESSAGE);
            assert_eq!(trailer.is_some(), signs);
            assert_eq!(check(&mut state, &hmac, NOW, 2, None).is_err(), demands);
            let wrong = [1; TRAILER_LEN];
            assert!(check(&mut state, &hmac, NOW, 2, Some(&wrong)).is_err());
        }
    }

    #[test]
    fn a_step_back_within_the_window_goes_on_counting() {
        let (hmac, mut one, mut two) = (
            hmac(AntiReplay::Time),
            Authenticator::default(),
            Authenticator::default(),
        );
        for now in [NOW, NOW - secs(3), NOW - secs(5)] {
            let advert = signed(&mut one, &hmac, now, 1);
            assert!(check(&mut two, &hmac, now, 1, Some(&advert)).is_ok());
        }
    }

    #[test]
    fn a_step_back_past_the_window_begins_anew_on_both_sides() {
        let (hmac, mut one, mut two) = (
            hmac(AntiReplay::Time),
            Authenticator::default(),
            Authenticator::default(),
        );
        let before = signed(&mut one, &hmac, NOW, 1);
        assert!(check(&mut two, &hmac, NOW, 1, Some(&before)).is_ok());
        let past = NOW - secs(100);
        let after = signed(&mut one, &hmac, past, 1);
        assert_eq!(after[4..8], 1_699_999_900_u32.to_be_bytes());
        assert!(check(&mut two, &hmac, past, 1, Some(&after)).is_ok());
        // What was signed in the future that never was stays out.
        let replayed = check(&mut two, &hmac, past, 1, Some(&before));
        assert_eq!(replayed.unwrap_err(), Rejected::ExtensionStale);
    }

    #[test]
    fn monotonic_numbers_never_go_back() {
        let (hmac, mut one, mut two) = (
            hmac(AntiReplay::Monotonic),
            Authenticator::default(),
            Authenticator::default(),
        );
        let old = signed(&mut one, &hmac, NOW, 1);
        assert!(check(&mut two, &hmac, NOW, 1, Some(&old)).is_ok());
        let past = NOW - secs(1000);
        let next = signed(&mut one, &hmac, past, 1);
        assert!(check(&mut two, &hmac, past, 1, Some(&next)).is_ok());
        let replayed = check(&mut two, &hmac, NOW + secs(1000), 1, Some(&old));
        assert_eq!(replayed.unwrap_err(), Rejected::ExtensionReplay);
    }

    #[test]
    fn four_senders_are_remembered_and_all_peers() {
        let hmac = hmac(AntiReplay::Monotonic);
        let mut two = Authenticator::default();
        let adverts: Vec<Vec<u8>> = (1..=6)
            .map(|from| signed(&mut Authenticator::default(), &hmac, NOW, from))
            .collect();
        for (from, advert) in (1..).zip(&adverts) {
            let unproven = Unproven {
                source: source(from),
                message: &MESSAGE,
                trailer: Some(advert),
            };
            assert!(two.check_trailer(&hmac, NOW, &unproven, from == 1).is_ok());
        }
        let mut again = |from: u8| {
            let advert = &adverts[usize::from(from) - 1];
            check(&mut two, &hmac, NOW, from, Some(advert)).is_err()
        };
        assert!(again(1) && again(3) && again(6));
        assert!(!again(2), "the fifth from the end is forgotten");
    }

    #[test]
    fn skew_is_told() {
        let (hmac, mut one, mut two) = (
            hmac(AntiReplay::Time),
            Authenticator::default(),
            Authenticator::default(),
        );
        let advert = signed(&mut one, &hmac, NOW, 1);
        let proven = check(&mut two, &hmac, NOW + secs(3), 1, Some(&advert));
        assert_eq!(proven.unwrap().skew, secs(3));
    }

    #[test]
    fn keys_rotate_by_their_id() {
        let old = hmac(AntiReplay::Time);
        let mut both = old.clone();
        both.keys.insert(id(2), Key::new(&[2; 32]).unwrap());
        let new = Hmac {
            active: id(2),
            ..both.clone()
        };
        let (mut one, mut two) = (Authenticator::default(), Authenticator::default());
        for (sender, receiver) in [(&old, &both), (&new, &both), (&new, &new), (&old, &new)] {
            let advert = signed(&mut one, sender, NOW, 1);
            assert!(check(&mut two, receiver, NOW, 1, Some(&advert)).is_ok());
        }
        let advert = signed(&mut one, &new, NOW, 1);
        let unknown = check(&mut two, &old, NOW, 1, Some(&advert));
        assert_eq!(unknown.unwrap_err(), Rejected::ExtensionUnknownKey);
    }

    #[test]
    fn header_numbers_are_one_row_for_all_routers() {
        let mut counter = Counter::default();
        assert_eq!(counter.next(), Some(1));
        assert_eq!(counter.accept(source(2), 500), Ok(()));
        assert_eq!(counter.next(), Some(501));
        assert_eq!(counter.accept(source(2), 501), Ok(()), "sent together");
        let replayed = Err(Rejected::AuthReplay);
        assert_eq!(counter.accept(source(2), 501), replayed);
        assert_eq!(counter.accept(source(3), 500), replayed);
    }

    #[test]
    fn used_up_header_numbers_stop_until_the_term_ends() {
        let mut counter = Counter {
            last: u32::MAX - 1,
            by: None,
        };
        assert_eq!(counter.next(), Some(u32::MAX));
        assert_eq!(counter.next(), None);
        counter.renew();
        assert_eq!(counter.next(), Some(1));
        counter.last = u32::MAX;
        assert_eq!(
            counter.accept(source(2), 7),
            Ok(()),
            "or somebody begins anew"
        );
        assert_eq!(counter.next(), Some(8));
    }

    proptest! {
        #[test]
        fn a_sender_never_repeats(steps in proptest::collection::vec(-4i64..=4, 1..200)) {
            let hmac = hmac(AntiReplay::Time);
            let (mut sender, mut now, mut last) = (Authenticator::default(), NOW, None);
            for step in steps {
                now = if step < 0 { now - secs(step.unsigned_abs()) } else { now + secs(step.unsigned_abs()) };
                let before = sender.last_signed;
                let next = sender.next_sequence(&hmac, Sequence::at(now));
                let restarted = before.is_some_and(|b| forgotten(&hmac, b, Sequence::at(now)));
                prop_assert!(restarted || last.is_none_or(|last| next.is_after(last)));
                last = Some(next);
            }
        }
    }
}
