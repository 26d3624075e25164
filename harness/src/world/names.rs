//! Name look-ups of the world: every name has an address of its own, so that two names on one port are told apart by
//! the address that was dialled.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use simple_dns::{
    CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, RCODE, ResourceRecord, TYPE,
    rdata::{A, RData},
};
use tokio::{io::Interest, net::UdpSocket};

/// The network for benchmarks, which no host of a configuration has (RFC 2544, RFC 6890): 198.18.0.0/15.
const NETWORK: u32 = 0xc612_0000;

/// A question is one datagram (RFC 1035 4.2.1; with EDNS up to 4,096 bytes, RFC 6891 6.2.5).
const DATAGRAM: usize = 4_096;

/// Seconds for which an answer may be kept. A name keeps its address for ever.
const TTL: u32 = 60;

/// The names of a world, and the server that answers for them.
#[derive(Debug, Clone, Default)]
pub struct Names(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// A name's place is its address.
    names: Vec<String>,
    asked: Vec<String>,
}

impl Names {
    /// Answers on port 53 of every address.
    pub(super) async fn serve() -> io::Result<Self> {
        let names = Self::default();
        names.answer_at(
            UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 53)).await.or(UdpSocket::bind((
                Ipv4Addr::UNSPECIFIED,
                53,
            ))
            .await)?,
        )?;
        Ok(names)
    }

    /// The address of a name, given when it is first named.
    #[must_use]
    pub fn address(&self, name: &str) -> Ipv4Addr {
        let name = plain(name);
        let known = &mut self.0.lock().unwrap_or_else(PoisonError::into_inner).names;
        let place = known.iter().position(|one| *one == name).unwrap_or_else(|| {
            known.push(name);
            known.len() - 1
        });
        // A network of 131,072 addresses; the first is nobody's.
        Ipv4Addr::from(NETWORK + 1 + u32::try_from(place).unwrap_or(u32::MAX) % 0x1_fffe)
    }

    /// The name that has this address.
    #[must_use]
    pub fn name(&self, address: IpAddr) -> Option<String> {
        let IpAddr::V4(address) = address.to_canonical() else { return None };
        let place = u32::from(address).checked_sub(NETWORK + 1)?;
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.names.get(usize::try_from(place).ok()?).cloned()
    }

    /// The names that were asked for, in the order of the first question.
    pub(super) fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).asked.clone()
    }

    /// Answers what arrives at this socket, from the address that was asked: a client takes an answer from no other
    /// (RFC 5452 9.1).
    pub(super) fn answer_at(&self, socket: UdpSocket) -> io::Result<()> {
        let names = self.clone();
        let state = UdpSocketState::new((&socket).into())?;
        tokio::spawn(async move {
            let mut question = [0; DATAGRAM];
            let mut meta = RecvMeta::default();
            loop {
                let mut buffers = [IoSliceMut::new(&mut question)];
                let read = || state.recv((&socket).into(), &mut buffers, std::slice::from_mut(&mut meta));
                if socket.async_io(Interest::READABLE, read).await.is_err() {
                    continue;
                }
                let Some(answer) = names.answer(&question[..meta.len.min(DATAGRAM)]) else { continue };
                let reply = Transmit {
                    destination: meta.addr,
                    ecn: None,
                    contents: &answer,
                    segment_size: None,
                    src_ip: meta.dst_ip,
                };
                // A datagram may be lost anywhere; its sender asks again.
                let _lost = state.try_send((&socket).into(), &reply);
            }
        });
        Ok(())
    }

    /// The answer to one datagram; none to what is no question.
    fn answer(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        let question = Packet::parse(datagram).ok()?;
        let mut answer = question.clone().into_reply();
        answer.set_flags(PacketFlag::AUTHORITATIVE_ANSWER | PacketFlag::RECURSION_AVAILABLE);
        answer.name_servers.clear();
        answer.additional_records.clear();
        for asked in &question.questions {
            let name = asked.qname.to_string();
            match asked.qtype {
                QTYPE::TYPE(TYPE::A) | QTYPE::ANY if asked.qclass == QCLASS::CLASS(CLASS::IN) => {
                    self.note(&name);
                    let address = RData::A(A::from(self.address(&name)));
                    let owner = Name::new(&name).ok()?.into_owned();
                    answer.answers.push(ResourceRecord::new(owner, CLASS::IN, TTL, address));
                }
                QTYPE::TYPE(TYPE::PTR) => *answer.rcode_mut() = RCODE::NameError,
                // The name is there and has no record of that type (RFC 2308 2.2).
                _ => {}
            }
        }
        answer.build_bytes_vec().ok()
    }

    fn note(&self, name: &str) {
        let asked = &mut self.0.lock().unwrap_or_else(PoisonError::into_inner).asked;
        let name = plain(name);
        if !asked.contains(&name) {
            asked.push(name);
        }
    }
}

/// Names are compared without case (RFC 4343) and without the dot of the root.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use simple_dns::Question;

    use super::*;

    fn ask(names: &Names, name: &str, kind: TYPE) -> Vec<String> {
        let mut packet = Packet::new_query(7);
        let question = Question::new(Name::new(name).unwrap(), kind.into(), CLASS::IN.into(), false);
        packet.questions.push(question);
        let answer = names.answer(&packet.build_bytes_vec().unwrap()).unwrap();
        let answer = Packet::parse(&answer).unwrap();
        assert_eq!((answer.id(), answer.rcode()), (7, RCODE::NoError));
        let address = |record: &ResourceRecord<'_>| match &record.rdata {
            RData::A(A { address }) => Ipv4Addr::from(*address).to_string(),
            other => format!("{other:?}"),
        };
        answer.answers.iter().map(address).collect()
    }

    #[test]
    fn each_name_has_an_address_of_its_own() {
        let names = Names::default();
        assert_eq!(ask(&names, "orders.internal", TYPE::A), ["198.18.0.1"]);
        assert_eq!(ask(&names, "Stock.internal", TYPE::A), ["198.18.0.2"]);
        assert_eq!(ask(&names, "ORDERS.internal", TYPE::A), ["198.18.0.1"]);
        assert_eq!(names.asked(), ["orders.internal", "stock.internal"]);
        assert_eq!(names.name("198.18.0.2".parse().unwrap()).as_deref(), Some("stock.internal"));
        assert_eq!(names.name("198.18.0.3".parse().unwrap()), None);
    }

    #[test]
    fn a_name_has_no_other_records() {
        assert!(ask(&Names::default(), "orders.internal", TYPE::AAAA).is_empty());
        assert!(ask(&Names::default(), "_https._tcp.orders.internal", TYPE::SRV).is_empty());
    }

    #[test]
    fn what_is_no_question_gets_no_answer() {
        assert_eq!(Names::default().answer(b"GET / HTTP/1.1"), None);
    }
}
