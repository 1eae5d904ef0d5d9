//! What is not the answer does not end the wait (THREATS: TuDoor, spoofing).

use std::collections::HashSet;
use std::net::UdpSocket;
use std::time::Duration;

use kakehashi::exchange::Exchange;
use kakehashi::wire::request::Parsed;
use kakehashi::wire::{Request, flag};

use crate::group::{ask, at, group, question, run, who};
use crate::stand_in::{Asked, StandIn, Via};

/// What a server sends before the right answer is ignored, and it is asked once.
fn is_waited_past(wrong: impl Fn(&Asked) -> Vec<Vec<u8>> + Send + 'static) {
    let server = StandIn::new(move |asked| {
        let mut replies = wrong(asked);
        replies.push(asked.address(1));
        replies
    });
    let group = group(&[server.address]);
    let answered = ask(&group).unwrap();
    assert_eq!((who(&answered.response), answered.tcp), (1, false));
    assert_eq!(server.count(), 1);
    let counts = group.status(at(1)).servers[0].counts.clone();
    assert!(counts.tally.ignored_datagrams >= 1);
    assert_eq!((counts.tally.queries, counts.tally.noerror), (1, 1));
}

fn changed(asked: &Asked, change: impl Fn(&mut Vec<u8>)) -> Vec<Vec<u8>> {
    let mut reply = asked.address(66);
    change(&mut reply);
    vec![reply]
}

#[test]
fn a_wrong_id_is_waited_past() {
    is_waited_past(|asked| changed(asked, |reply| reply[1] ^= 1));
}

#[test]
fn a_wrong_question_is_waited_past() {
    is_waited_past(|asked| changed(asked, |reply| reply[13] ^= 1));
    is_waited_past(|asked| {
        let qtype = 12 + question().qname.wire().len() + 1;
        changed(asked, |reply| reply[qtype] = 28)
    });
}

#[test]
fn a_query_sent_back_is_waited_past() {
    is_waited_past(|asked| vec![asked.bytes.clone()]);
}

#[test]
fn another_opcode_is_waited_past() {
    is_waited_past(|asked| changed(asked, |reply| reply[2] |= 0x20));
}

#[test]
fn a_response_without_a_question_is_waited_past() {
    is_waited_past(|asked| changed(asked, |reply| reply[5] = 0));
}

#[test]
fn fewer_octets_than_a_header_are_waited_past() {
    is_waited_past(|asked| changed(asked, |reply| reply.truncate(11)));
    is_waited_past(|asked| changed(asked, Vec::clear));
}

#[test]
fn a_pointer_to_itself_is_waited_past() {
    is_waited_past(|asked| {
        changed(asked, |reply| {
            let owner = 12 + question().qname.wire().len() + 4;
            reply[owner..owner + 2].copy_from_slice(&[0xC0, owner as u8]);
        })
    });
}

#[test]
fn a_pointer_bomb_is_waited_past() {
    is_waited_past(|asked| {
        changed(asked, |reply| {
            let question_end = 12 + question().qname.wire().len() + 4;
            reply.truncate(question_end);
            // an owner of 63-octet labels, each record pointing to the one before with one label more
            reply[7] = 20;
            reply[11] = 0;
            let mut before = 12u16;
            for _ in 0..20 {
                let here = reply.len() as u16;
                reply.push(63);
                reply.extend([b'x'; 63]);
                reply.extend((0xC000 | before).to_be_bytes());
                reply.extend([0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 66]);
                before = here;
            }
        })
    });
}

#[test]
fn counts_that_lie_are_waited_past() {
    is_waited_past(|asked| changed(asked, |reply| reply[7] = 200));
}

#[test]
fn rdata_past_the_end_is_waited_past() {
    is_waited_past(|asked| {
        changed(asked, |reply| {
            let rdlength = 12 + question().qname.wire().len() + 4 + 2 + 8;
            reply[rdlength..rdlength + 2].copy_from_slice(&[0xFF, 0xFF]);
        })
    });
}

#[test]
fn an_answer_from_another_port_never_arrives() {
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = StandIn::new(move |asked| {
        let _ = stranger.send_to(&asked.address(66), asked.from);
        vec![asked.address(1)]
    });
    assert_eq!(who(&ask(&group(&[server.address])).unwrap().response), 1);
}

#[test]
fn a_flood_of_guesses_moves_the_question_to_tcp() {
    let server = StandIn::new(|asked| match asked.via {
        Via::Udp => {
            let guess = |nth: u16| {
                let mut reply = asked.address(66);
                reply[..2].copy_from_slice(&asked.id().wrapping_add(nth).to_be_bytes());
                reply
            };
            (1..=400).map(guess).collect()
        }
        Via::Tcp => vec![asked.address(1)],
    });
    // The kernel may drop a part of the flood; then the question is asked again and flooded again.
    let group = crate::group::hasty(&[server.address]);
    let answered = ask(&group).unwrap();
    assert_eq!((who(&answered.response), answered.tcp), (1, true));
}

#[test]
fn of_a_thousand_queries_nearly_all_leave_from_different_ports_over_the_whole_range() {
    let server = StandIn::replying(|asked| asked.address(1));
    let group = group(&[server.address]);
    run(async {
        let exchange = Exchange::new();
        for _ in 0..1000 {
            group.ask(&question(), &exchange, at(1)).await.unwrap();
        }
    });
    let asked = server.asked();
    let ports: Vec<u16> = asked.iter().map(|asked| asked.from.port()).collect();
    let ids: Vec<u16> = asked.iter().map(Asked::id).collect();
    assert_eq!(ports.len(), 1000);
    assert!(ports.iter().collect::<HashSet<_>>().len() >= 980);
    assert!(ids.iter().collect::<HashSet<_>>().len() >= 980);
    assert!(deviation(&ports) >= 17_500.0, "{}", deviation(&ports));
    assert!(deviation(&ids) >= 17_500.0, "{}", deviation(&ids));
}

/// Under load ports are used again, but none before a thousand others were.
#[test]
fn of_a_thousand_queries_under_load_too() {
    let server = StandIn::replying(|asked| asked.address(1));
    let group = group(&[server.address]);
    run(async {
        let (exchange, question) = (Exchange::new(), question());
        for _ in 0..100 {
            let asking = (0..40).map(|_| group.ask(&question, &exchange, at(1)));
            futures_util::future::join_all(asking)
                .await
                .into_iter()
                .for_each(|answered| _ = answered.unwrap());
        }
    });
    let ports: Vec<u16> = server.asked().iter().map(|asked| asked.from.port()).collect();
    for thousand in ports.windows(1000) {
        assert!(thousand.iter().collect::<HashSet<_>>().len() >= 980);
        assert!(deviation(thousand) >= 17_500.0, "{}", deviation(thousand));
    }
}

/// What nobody waits for must not fill the buffer of a port, or the next who asks from there is never heard.
#[test]
fn a_server_that_speaks_unasked_deafens_nobody() {
    const NOISY: usize = 150;
    let noisy = StandIn::new(|asked| if asked.nth < NOISY { vec![] } else { vec![asked.address(1)] });
    let quiet = StandIn::replying(|asked| asked.address(2));
    let (first, second) = (group(&[noisy.address]), group(&[quiet.address]));
    run(async {
        let (exchange, question) = (Exchange::new(), question());
        // As many as there are ports at once, so that the others find those that were used first.
        for nth in 1..=1024 {
            let asking = first.ask(&question, &exchange, at(1));
            if nth > NOISY {
                asking.await.unwrap();
                continue;
            }
            // The answer, and behind it more than the buffer holds, before any of it is read; and once more later.
            let speak = || {
                let asked = noisy.wait_for(nth).pop().unwrap();
                (0..400).for_each(|_| noisy.speak(asked.from, &asked.address(1)));
            };
            let (answered, ()) = futures_util::future::join(asking, async { speak() }).await;
            answered.unwrap();
            if nth % 2 == 0 {
                speak();
            }
        }
        for _ in 0..100 {
            let answered = second.ask(&question, &exchange, at(1));
            let answered = tokio::time::timeout(Duration::from_secs(10), answered).await;
            assert_eq!(who(&answered.expect("it is heard").unwrap().response), 2);
        }
    });
    // One that was not heard is asked again; a slow machine may make a few of them seem so.
    assert!(quiet.count() < 150, "{}", quiet.count());
}

fn deviation(values: &[u16]) -> f64 {
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
    let squares = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>();
    (squares / values.len() as f64).sqrt()
}

#[test]
fn recursion_is_desired_and_the_size_we_announce_is_1232() {
    let server = StandIn::replying(|asked| asked.address(1));
    ask(&group(&[server.address])).unwrap();
    let bytes = &server.asked()[0].bytes;
    assert_eq!(u16::from_be_bytes([bytes[2], bytes[3]]), flag::RD);
    let Parsed::Query(request) = Request::parse(bytes) else { panic!("a query") };
    assert_eq!(request.edns.unwrap().payload, 1232);
}
