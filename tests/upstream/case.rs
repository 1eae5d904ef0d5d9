//! Random case: what a forger must guess beside ID and port, and servers that do not keep it.

use kakehashi::exchange::Exchange;
use kakehashi::wire::RType;

use crate::group::{ask, at, group, question, run, who};
use crate::stand_in::{Asked, StandIn};

fn name_sent(asked: &Asked) -> Vec<u8> {
    asked.bytes[12..12 + question().qname.wire().len()].to_vec()
}

fn lower(mut reply: Vec<u8>) -> Vec<u8> {
    let name = 12..12 + question().qname.wire().len();
    reply[name].make_ascii_lowercase();
    reply
}

#[test]
fn each_query_has_its_name_in_another_case() {
    let server = StandIn::replying(|asked| asked.address(1));
    let group = group(&[server.address]);
    for _ in 0..8 {
        assert_eq!(who(&ask(&group).unwrap().response), 1);
    }
    let sent: Vec<Vec<u8>> = server.asked().iter().map(name_sent).collect();
    assert!(sent.iter().all(|name| name.to_ascii_lowercase() == question().qname.wire()));
    // Of seventeen letters: two equal ones among eight come once in 4,700 times, all lower once in 131,072.
    let different: std::collections::HashSet<_> = sent.iter().collect();
    assert!(different.len() >= 7, "{sent:?}");
}

#[test]
fn the_answer_has_its_names_as_they_were_asked() {
    let server = StandIn::replying(|asked| {
        let mut reply = asked.bytes.clone();
        reply[2] |= 0x80;
        (reply[7], reply[11]) = (1, 0);
        reply.truncate(12 + question().qname.wire().len() + 4);
        // an alias of "web" in the domain of the question, by a pointer to it behind "user"
        reply.extend([0xC0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 6, 3, b'w', b'e', b'b', 0xC0, 12 + 5]);
        reply
    });
    let response = ask(&group(&[server.address])).unwrap().response;
    let alias = response.answer.iter().next().unwrap();
    assert_eq!(alias.rtype, RType::CNAME);
    assert_eq!(alias.owner.to_string(), "user.technova.local.");
    assert_eq!(alias.target().unwrap().to_string(), "web.technova.local.");
}

#[test]
fn a_server_that_changes_the_case_is_asked_again_without_and_that_is_remembered() {
    let server = StandIn::replying(|asked| lower(asked.address(1)));
    let group = group(&[server.address]);
    let ask_at = |seconds| run(group.ask(&question(), &Exchange::new(), at(seconds))).unwrap();
    for seconds in [0, 300, 700] {
        assert_eq!(who(&ask_at(seconds).response), 1);
    }
    let as_asked: Vec<bool> =
        server.asked().iter().map(|asked| name_sent(asked) == question().qname.wire()).collect();
    assert_eq!(as_asked, [false, true, true, false, true]);
    let tally = group.status(at(1)).servers[0].counts.tally;
    assert_eq!((tally.queries, tally.case_fallbacks, tally.timeouts), (3, 2, 0));
}

#[test]
fn who_guesses_id_and_port_but_not_the_case_is_not_believed() {
    let server = StandIn::new(|asked| {
        let forged = lower(asked.address(66));
        if asked.nth == 0 { vec![forged, asked.address(1)] } else { vec![asked.address(1)] }
    });
    assert_eq!(who(&ask(&group(&[server.address])).unwrap().response), 1);
}
