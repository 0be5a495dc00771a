//! Codec, a second of 1,000 instances, and loading.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench")]

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use vipd::config::source::Memory;
use vipd::config::{Options, load};
use vipd::types::{InstanceId, Instant, Interval, Priority, Version, Vrid};
use vipd::vrrp::instance::{Input, InstanceConfig};
use vipd::vrrp::router::{Event, Router, Tracking};
use vipd::wire::ip::{self, GROUP_V4};
use vipd::wire::vrrp::{self, Authentication, ChecksumForm, Demands, Outgoing};

fn codec(c: &mut Criterion) {
    let addresses: Vec<_> = (1..=20)
        .map(|n| Ipv4Addr::new(192, 0, 2, n).into())
        .collect();
    let source = Ipv4Addr::new(192, 0, 2, 200);
    let advert = Outgoing {
        version: Version::V3,
        vrid: Vrid::new(51).unwrap(),
        priority: Priority::new(100),
        interval: Interval::DEFAULT,
        addresses: &addresses,
        authentication: &Authentication::None,
        checksum: ChecksumForm::PseudoHeader,
        source: source.into(),
        destination: GROUP_V4.into(),
    };
    let emit = || ip::emit_v4(source, GROUP_V4, 255, 1, &vrrp::emit(black_box(&advert)));
    c.bench_function("emit an advert of 20 addresses", |b| b.iter(emit));
    let bytes = emit();
    let demands = Demands {
        version: Version::V3,
        authentication: &Authentication::None,
        interval: Some(Interval::DEFAULT),
        link_local_first: false,
        check_hop_limit: true,
    };
    c.bench_function("receive an advert of 20 addresses", |b| {
        b.iter(|| {
            let packet = ip::parse_v4(black_box(&bytes)).unwrap();
            vrrp::receive(&packet, &demands).unwrap()
        });
    });
}

fn second_of_a_thousand(c: &mut Criterion) {
    let mut router = Router::new();
    let mut now = Instant::default();
    let mut effects = Vec::new();
    for n in 0..1000u32 {
        let vrid = Vrid::new(u8::try_from(n % 255 + 1).unwrap()).unwrap();
        let id = InstanceId(n);
        router.add(now, id, InstanceConfig::new(vrid), Tracking::default());
        router.handle(now, Event::Instance(id, Input::Startup), &mut effects);
    }
    now = now + Duration::from_secs(10);
    router.handle(now, Event::Deadline, &mut effects);
    c.bench_function("a second of 1,000 active instances", |b| {
        b.iter(|| {
            now = now + Duration::from_secs(1);
            effects.clear();
            router.handle(now, Event::Deadline, &mut effects);
            black_box(&effects);
        });
    });
}

fn loading(c: &mut Criterion) {
    let mut text = String::new();
    let mut n = 0;
    while text.lines().count() < 10_000 {
        n += 1;
        text += &format!(
            "vrrp_instance V{n} {{\n    interface eth{}\n    virtual_router_id {}\n    \
             priority 100\n    advert_int 1\n    virtual_ipaddress {{\n        10.{}.{}.1/24\n    \
             }}\n}}\n",
            n / 255,
            n % 255 + 1,
            n / 250,
            n % 250
        );
    }
    let files = Memory::default().with("main", text);
    c.bench_function("load 10,000 lines", |b| {
        b.iter(|| load("main", &Options::default(), black_box(&files)));
    });
}

criterion_group!(benches, codec, second_of_a_thousand, loading);
criterion_main!(benches);
