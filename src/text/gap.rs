//! What stood between two units.

/// A set of kinds of things that were dropped between two units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Gap(pub(super) u8);

impl Gap {
    /// White space.
    pub const SPACE: Self = Self(1);
    /// Marks that join as often as they part: `·`, `-`, `_`, `.`, `/`, `|`, `~`, `*`.
    pub const LIGHT: Self = Self(2);
    /// Marks that end a phrase: `。`, `，`, brackets, quotes, the end of a line.
    pub const STRONG: Self = Self(4);
    /// Characters that show nothing.
    pub const INVISIBLE: Self = Self(8);
    /// Pictures.
    pub const EMOJI: Self = Self(16);

    /// White space and marks of either kind.
    pub const SIGN: Self = Self(Self::SPACE.0 | Self::LIGHT.0 | Self::STRONG.0);
    /// Everything that a reader sees.
    pub const SEEN: Self = Self(Self::SIGN.0 | Self::EMOJI.0);

    /// Whether nothing was dropped.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether any kind of `other` is in the set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
