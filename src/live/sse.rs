//! Lines and server-sent events (WHATWG HTML §9.2) out of bytes that come in pieces.

/// Longest line, and longest event, in bytes; a longer one is dropped whole.
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// Cuts bytes into lines.
#[derive(Debug, Default)]
pub struct Lines {
    part: Vec<u8>,
    /// The line under way is over the limit: it is passed over up to its end.
    over: bool,
    /// A CR ended the last line: an LF that follows is no line of its own.
    after_cr: bool,
}

impl Lines {
    /// Takes `bytes` and hands over every line they end.
    pub fn push(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8])) {
        for &byte in bytes {
            let after_cr = std::mem::take(&mut self.after_cr);
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    if !std::mem::take(&mut self.over) {
                        line(&self.part);
                    }
                    self.part.clear();
                }
                _ if self.over => {}
                _ if self.part.len() >= MAX_MESSAGE_BYTES => {
                    self.over = true;
                    self.part.clear();
                }
                _ => self.part.push(byte),
            }
        }
    }
}

/// Gathers the data of server-sent events.
#[derive(Debug, Default)]
pub struct ServerSent {
    lines: Lines,
    data: Vec<u8>,
    over: bool,
}

impl ServerSent {
    /// Takes `bytes` and hands over the data of every event they end.
    pub fn push(&mut self, bytes: &[u8], mut event: impl FnMut(&[u8])) {
        let Self { lines, data, over } = self;
        lines.push(bytes, |line| {
            if line.is_empty() {
                if !std::mem::take(over) && !data.is_empty() {
                    event(data.strip_suffix(b"\n").unwrap_or(data));
                }
                data.clear();
                return;
            }
            let Some(value) = line.strip_prefix(b"data").filter(|rest| rest.first().is_none_or(|c| *c == b':')) else {
                return;
            };
            let value = value.strip_prefix(b":").unwrap_or(value);
            let value = value.strip_prefix(b" ").unwrap_or(value);
            if data.len() + value.len() > MAX_MESSAGE_BYTES {
                *over = true;
                data.clear();
            } else if !*over {
                data.extend_from_slice(value);
                data.push(b'\n');
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<String> {
        let mut sent = ServerSent::default();
        let mut out = Vec::new();
        for piece in pieces {
            sent.push(piece, |data| out.push(String::from_utf8_lossy(data).into_owned()));
        }
        out
    }

    #[test]
    fn an_event_is_its_data_however_it_is_cut() {
        let whole = b": hello\nevent: x\ndata: {\"a\":\ndata:1}\nid: 7\n\ndata\n\r\ndatabase: no\n\ndata: last\r\n\r\n";
        let expected = ["{\"a\":\n1}", "", "last"];
        assert_eq!(events(&[whole]), expected);
        for cut in 0..whole.len() {
            assert_eq!(events(&[&whole[..cut], &whole[cut..]]), expected, "{cut}");
        }
    }

    #[test]
    fn what_is_too_long_is_dropped_and_the_next_is_read() {
        let long = [b"data: ".to_vec(), vec![b'x'; MAX_MESSAGE_BYTES + 1], b"\n\ndata: next\n\n".to_vec()].concat();
        assert_eq!(events(&[&long]), ["next"]);
        let lines = [b"data: ".to_vec(), vec![b'x'; MAX_MESSAGE_BYTES - 100], b"\n".to_vec()].concat();
        assert_eq!(events(&[&lines, &lines, b"data: more\n\n", b"data: next\n\n"]), ["next"]);
    }

    proptest::proptest! {
        #[test]
        fn cutting_changes_nothing(bytes in proptest::collection::vec(proptest::sample::select(b"data: x\n\r".to_vec()), 0..80), cut in 0_usize..80) {
            let cut = cut.min(bytes.len());
            proptest::prop_assert_eq!(events(&[&bytes]), events(&[&bytes[..cut], &bytes[cut..]]));
        }
    }
}
