//! One registration, and how it is written beside its spelling.
//!
//! A registration's bytes: status 1, classes 6, expiry 4 (year × 10,000 + month × 100 + day, 0 for none), length of the
//! jurisdiction 1, of the number 1, of the holder 2, then the three texts. Numbers are little-endian.

use jiff::civil::Date;

use crate::model::MarkStatus;

/// Longest name of a jurisdiction, in bytes.
pub const MAX_JURISDICTION_BYTES: usize = 16;
/// Longest registration number, in bytes.
pub const MAX_NUMBER_BYTES: usize = 64;
/// Longest name of a holder, in bytes.
pub const MAX_HOLDER_BYTES: usize = 1024;

const HEAD_BYTES: usize = 15;

/// A registration, as much of it as telling whose word was found needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration<'a> {
    /// Where it is registered, an ISO 3166 code or an office such as `EM`. With the number it names the registration.
    pub jurisdiction: &'a str,
    /// The registration number.
    pub number: &'a str,
    /// Who owns it.
    pub holder: &'a str,
    /// The Nice classes it stands for.
    pub classes: NiceClasses,
    /// Whether it is in force.
    pub status: MarkStatus,
    /// Last day of protection.
    pub expires_on: Option<Date>,
}

/// A set of Nice classes, 1 to 45.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct NiceClasses(u64);

impl NiceClasses {
    const ALL: u64 = ((1 << 45) - 1) << 1;

    /// Whether `class` is in the set.
    pub fn has(self, class: u8) -> bool {
        class < 64 && self.0 >> class & 1 == 1
    }

    /// Whether both sets share a class.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The classes, ascending.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (1..=45).filter(move |class| self.has(*class))
    }
}

impl FromIterator<u8> for NiceClasses {
    /// Classes beyond 45 are no Nice classes and left out.
    fn from_iter<I: IntoIterator<Item = u8>>(classes: I) -> Self {
        Self(classes.into_iter().filter(|class| *class < 64).fold(0, |all, class| all | 1 << class) & Self::ALL)
    }
}

impl<'a> Registration<'a> {
    /// Why it cannot be kept, if so.
    pub(super) fn fault(&self) -> Option<String> {
        let parts = [
            ("the jurisdiction", self.jurisdiction, MAX_JURISDICTION_BYTES),
            ("the number", self.number, MAX_NUMBER_BYTES),
            ("the holder", self.holder, MAX_HOLDER_BYTES),
        ];
        if self.jurisdiction.contains('\0') {
            return Some("the jurisdiction has a character of number 0: remove it".to_owned());
        }
        let (name, text, most) = parts.into_iter().find(|(_, text, most)| text.len() > *most)?;
        Some(format!("{name} has {} bytes, {most} are kept: shorten it", text.len()))
    }

    /// Appends its bytes to `out`; [`fault`](Self::fault) has found none.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let status = match self.status {
            MarkStatus::Registered => 0,
            MarkStatus::Pending => 1,
            MarkStatus::Dead => 2,
        };
        let day = |date: Date| i32::from(date.year()) * 10_000 + i32::from(date.month()) * 100 + i32::from(date.day());
        let mut head = [0; HEAD_BYTES];
        let [low, high] = (self.holder.len() as u16).to_le_bytes();
        head[0] = status;
        head[1..7].copy_from_slice(&self.classes.0.to_le_bytes()[..6]);
        head[7..11].copy_from_slice(&self.expires_on.map_or(0, day).to_le_bytes());
        head[11..].copy_from_slice(&[self.jurisdiction.len() as u8, self.number.len() as u8, low, high]);
        out.extend_from_slice(&head);
        for text in [self.jurisdiction, self.number, self.holder] {
            out.extend_from_slice(text.as_bytes());
        }
    }

    /// Reads the registration at the beginning of `bytes`, and gives what follows it.
    pub(super) fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let [status, c0, c1, c2, c3, c4, c5, e0, e1, e2, e3, jurisdiction, number, low, high] = *head;
        let (jurisdiction, rest) = text(rest, usize::from(jurisdiction))?;
        let (number, rest) = text(rest, usize::from(number))?;
        let (holder, rest) = text(rest, usize::from(u16::from_le_bytes([low, high])))?;
        let status = match status {
            0 => MarkStatus::Registered,
            1 => MarkStatus::Pending,
            2 => MarkStatus::Dead,
            _ => return None,
        };
        let classes = NiceClasses(u64::from_le_bytes([c0, c1, c2, c3, c4, c5, 0, 0]) & NiceClasses::ALL);
        let expires_on = match i32::from_le_bytes([e0, e1, e2, e3]) {
            0 => None,
            day => {
                let year = i16::try_from(day.div_euclid(10_000)).ok()?;
                let rest = day.rem_euclid(10_000);
                Some(Date::new(year, (rest / 100) as i8, (rest % 100) as i8).ok()?)
            }
        };
        Some((Self { jurisdiction, number, holder, classes, status, expires_on }, rest))
    }
}

fn text(bytes: &[u8], length: usize) -> Option<(&str, &[u8])> {
    let (text, rest) = bytes.split_at_checked(length)?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_registration_is_read_as_it_was_written() {
        let one = Registration {
            jurisdiction: "CN",
            number: "12345678A",
            holder: "云雀运动用品有限公司",
            classes: [1, 25, 45].into_iter().collect(),
            status: MarkStatus::Pending,
            expires_on: Some(date(2031, 12, 9)),
        };
        let bare = Registration {
            jurisdiction: "",
            number: "",
            holder: "",
            classes: NiceClasses::default(),
            status: MarkStatus::Dead,
            expires_on: None,
        };
        let ancient = Registration { expires_on: Some(date(-1, 1, 31)), ..bare };
        let mut bytes = Vec::new();
        for registration in [one, bare, ancient] {
            assert_eq!(registration.fault(), None);
            registration.write(&mut bytes);
        }
        let mut rest = bytes.as_slice();
        for registration in [one, bare, ancient] {
            let (read, after) = Registration::read(rest).unwrap();
            assert_eq!(read, registration);
            rest = after;
        }
        assert!(rest.is_empty());
        assert_eq!(one.classes.iter().collect::<Vec<_>>(), [1, 25, 45]);
    }

    #[test]
    fn classes_that_are_none_are_left_out() {
        let classes: NiceClasses = [0, 1, 45, 46, 63, 64, 255].into_iter().collect();
        assert_eq!(classes.iter().collect::<Vec<_>>(), [1, 45]);
        assert!(classes.meets([45].into_iter().collect()) && !classes.meets([44].into_iter().collect()));
    }

    #[test]
    fn a_text_that_is_too_long_is_named() {
        let holder = "长".repeat(400);
        let registration = Registration {
            jurisdiction: "CN",
            number: "1",
            holder: &holder,
            classes: NiceClasses::default(),
            status: MarkStatus::Registered,
            expires_on: None,
        };
        assert!(registration.fault().unwrap().contains("the holder has 1200 bytes"));
    }
}
