//! Frame Streams: data frames with a length of four octets; a length of zero is an escape to a control frame.

/// What the frames hold.
pub(super) const CONTENT: &[u8] = b"protobuf:dnstap.Dnstap";

/// Longest control frame that is read, as fstrm has it.
pub(super) const CONTROL_MAX: usize = 512;
/// The field of a control frame that names the content.
const FIELD_CONTENT: u32 = 1;

/// Control frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    Accept = 1,
    Start = 2,
    Stop = 3,
    Ready = 4,
    Finish = 5,
}

impl Control {
    /// The frame, its escape included. READY, ACCEPT and START say what the content is.
    pub(super) fn frame(self) -> Vec<u8> {
        let mut body = (self as u32).to_be_bytes().to_vec();
        if !matches!(self, Control::Stop | Control::Finish) {
            body.extend_from_slice(&FIELD_CONTENT.to_be_bytes());
            body.extend_from_slice(&(CONTENT.len() as u32).to_be_bytes());
            body.extend_from_slice(CONTENT);
        }
        [&[0; 4], &(body.len() as u32).to_be_bytes()[..], &body].concat()
    }

    /// Reads a control frame's body: what it is, if it is of our content. One that names no content is of any.
    pub(super) fn read(body: &[u8]) -> Option<Control> {
        let (kind, mut fields) = body.split_first_chunk()?;
        let all = [Control::Accept, Control::Start, Control::Stop, Control::Ready, Control::Finish];
        let control = all.into_iter().find(|control| *control as u32 == u32::from_be_bytes(*kind))?;
        let mut contents = Vec::new();
        while !fields.is_empty() {
            let (field, rest) = fields.split_first_chunk()?;
            let (length, rest) = rest.split_first_chunk()?;
            let (content, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            if u32::from_be_bytes(*field) == FIELD_CONTENT {
                contents.push(content);
            }
            fields = rest;
        }
        (contents.is_empty() || contents.contains(&CONTENT)).then_some(control)
    }
}

/// The length of the whole frame that `bytes` begin with, and whether it is data; `None` if less is there.
pub(super) fn length(bytes: &[u8]) -> Option<(usize, Holds)> {
    let (first, rest) = bytes.split_first_chunk()?;
    let (whole, holds) = match (u32::from_be_bytes(*first) as usize, rest.first_chunk()) {
        (0, Some(control)) => (8 + u32::from_be_bytes(*control) as usize, Holds::Control),
        (0, None) => return None,
        (data, _) => (4 + data, Holds::Data),
    };
    (bytes.len() >= whole).then_some((whole, holds))
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Data,
    Control,
}

/// How many octets of whole frames `sent` octets of `frames` are, and how many data frames among them.
pub(super) fn whole(frames: &[u8], sent: usize) -> (usize, u64) {
    let (mut at, mut count) = (0, 0);
    while let Some((length, holds)) = length(&frames[at..])
        && at + length <= sent
    {
        at += length;
        count += u64::from(holds == Holds::Data);
    }
    (at, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_frames_read_back_and_another_content_is_not_ours() {
        for control in [Control::Accept, Control::Start, Control::Stop, Control::Ready, Control::Finish] {
            let frame = control.frame();
            assert_eq!(length(&frame), Some((frame.len(), Holds::Control)));
            assert_eq!(Control::read(&frame[8..]), Some(control));
        }
        let mut other = Control::Accept.frame();
        *other.last_mut().unwrap_or(&mut 0) = b'?';
        assert_eq!(Control::read(&other[8..]), None);
        assert_eq!(Control::read(&[0, 0, 0]), None);
        assert_eq!(Control::read(&[0, 0, 0, 1, 0, 0, 0, 1, 255, 255, 255, 255]), None);
    }

    #[test]
    fn a_frame_that_went_halfway_did_not_go() {
        let frames = [&Control::Start.frame()[..], &[0, 0, 0, 2, 1, 2], &[0, 0, 0, 1, 3]].concat();
        let start = frames.len() - 11;
        assert_eq!(whole(&frames, start - 1), (0, 0));
        assert_eq!(whole(&frames, start + 5), (start, 0));
        assert_eq!(whole(&frames, start + 6), (start + 6, 1));
        assert_eq!(whole(&frames, frames.len()), (frames.len(), 2));
    }
}
