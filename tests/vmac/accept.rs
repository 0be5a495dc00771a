//! Accept mode: traffic to the addresses is taken or dropped, neighbours are always answered.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, TcpStream, UdpSocket};
use std::time::Duration;

use vipd::lab::{Captured, EchoServer, Host};

use super::common::{SOON, VIP, VIP6, VIPS6, host, installed, wait_for};
use super::{
    MAC6, One, PORT, ends_well, has_on, holds, node, physical, ruleset, run, source_mac, text,
    text6,
};

fn connects(client: &Host, address: &str) -> bool {
    let address: SocketAddr = format!("{address}:8080").parse().unwrap();
    client
        .enter(|| TcpStream::connect_timeout(&address, Duration::from_millis(300)).is_ok())
        .unwrap()
}

/// Whether `address` answers an echo request.
fn pings(client: &Host, address: Ipv6Addr) -> bool {
    use socket2::{Domain, Protocol, Socket, Type};
    let index = client.eth0().unwrap();
    let ask = || {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)).unwrap();
        let patience = Duration::from_millis(300);
        socket.set_read_timeout(Some(patience)).unwrap();
        let scope = if address.is_unicast_link_local() {
            index
        } else {
            0
        };
        let to = SocketAddrV6::new(address, 0, 0, scope);
        socket
            .send_to(&[128, 0, 0, 0, 0, 7, 0, 1], &to.into())
            .unwrap();
        let mut answer = [std::mem::MaybeUninit::uninit(); 256];
        let end = vipd::lab::now() + patience;
        while vipd::lab::now() < end {
            let Ok((length, from)) = socket.recv_from(&mut answer) else {
                return false;
            };
            let from = from.as_socket_ipv6().map(|from| *from.ip());
            // Neighbour discovery has more bytes than an echo.
            if length == 8 && from == Some(address) {
                return true;
            }
        }
        false
    };
    client.enter(ask).unwrap()
}

/// Whether an echo server at `address` answers a datagram.
fn echoes(client: &Host, address: &str) -> bool {
    let address: SocketAddr = format!("{address}:{PORT}").parse().unwrap();
    let any = if address.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let ask = || {
        let socket = UdpSocket::bind(any).unwrap();
        let patience = Duration::from_millis(300);
        socket.set_read_timeout(Some(patience)).unwrap();
        socket.send_to(&[0; 8], address).unwrap();
        socket.recv(&mut [0; 64]).is_ok()
    };
    client.enter(ask).unwrap()
}

fn listen(host: &Host) -> std::net::TcpListener {
    host.enter(|| std::net::TcpListener::bind("[::]:8080").unwrap())
        .unwrap()
}

#[test]
fn without_accept_mode_traffic_to_the_address_is_dropped() {
    if !installed("nft") {
        return;
    }
    for virtual_mac in [true, false] {
        let adjust = |text: String| {
            if virtual_mac {
                text
            } else {
                text.replace("use_vmac", "")
            }
        };
        let Some(one) = One::new() else { return };
        let client = host(&one.lab, "client", "192.168.1.50/24");
        let device = if virtual_mac { "vrrp.51" } else { "eth0" };
        let _servers = (
            listen(&one.node),
            EchoServer::start(&one.node, PORT).unwrap(),
        );
        // Somebody else's rules stay.
        run(&one.node, "nft", &["add", "table", "ip", "other"]);
        let mut daemon = one.start(&adjust(text(100, "no_accept")));
        wait_for("active", SOON, || has_on(&one.node, device, VIP));
        assert!(connects(&client, "192.168.1.1") && echoes(&client, "192.168.1.1"));
        assert!(!connects(&client, VIP) && !echoes(&client, VIP));
        let set = || {
            run(
                &one.node,
                "nft",
                &["list", "set", "ip", "keepalived", "vips"],
            )
        };
        assert!(set().contains(VIP), "{}", set());
        // A reload to accept mode lets it in, and back again keeps it out.
        one.folder.write("node1.conf", &adjust(text(100, "accept")));
        daemon.signal(libc::SIGHUP);
        wait_for("it is let in", SOON, || connects(&client, VIP));
        one.folder
            .write("node1.conf", &adjust(text(100, "no_accept")));
        daemon.signal(libc::SIGHUP);
        wait_for("it is kept out", SOON, || !connects(&client, VIP));
        // A fault takes the address out of the set.
        one.node.unplug().unwrap();
        wait_for("a fault", SOON, || !has_on(&one.node, device, VIP));
        wait_for("the set is empty", SOON, || !set().contains(VIP));
        ends_well(&mut daemon);
        let left = ruleset(&one.node);
        assert!(
            left.contains("other") && !left.contains("keepalived"),
            "{left}"
        );
    }
}

#[test]
fn an_owner_accepts_in_any_case() {
    let Some(one) = One::new() else { return };
    let client = host(&one.lab, "client", "192.168.1.50/24");
    let _server = listen(&one.node);
    let owner = text(255, "no_accept\n    state MASTER").replace("use_vmac", "");
    let mut daemon = one.start(&owner);
    wait_for("active", SOON, || has_on(&one.node, "eth0", VIP));
    assert!(connects(&client, VIP));
    ends_well(&mut daemon);
}

#[test]
fn rules_that_a_crash_left_are_replaced() {
    if !installed("nft") {
        return;
    }
    let Some(one) = One::new() else { return };
    let mut first = one.start(&text(100, "no_accept"));
    wait_for("active", SOON, || holds(&one.node));
    first.kill();
    assert!(ruleset(&one.node).contains(VIP));
    let mut second = one.start(&text(100, ""));
    second
        .wait_for_line("Entering MASTER", SOON)
        .expect("active");
    wait_for("the drop rules go", SOON, || {
        !ruleset(&one.node).contains(VIP)
    });
    ends_well(&mut second);
    assert_eq!(ruleset(&one.node), "");
}

/// RFC 9568 §6.1, §6.4.3: what is dropped is traffic, never neighbour discovery.
fn neighbours_are_answered_and_traffic_is_not(virtual_mac: bool) {
    if !installed("nft") || !installed("ip") {
        return;
    }
    let Some(one) = One::new() else { return };
    let client = node(&one.lab, "client", 50);
    let _servers = (
        listen(&one.node),
        EchoServer::start(&one.node, PORT).unwrap(),
    );
    let adjust = |text: String| match virtual_mac {
        true => text,
        false => text.replace("use_vmac", ""),
    };
    let (device, mac) = match virtual_mac {
        true => ("vrrp.51", MAC6),
        false => ("eth0", physical(&one.node)),
    };
    let mut daemon = one.start(&adjust(text6(100, "no_accept")));
    wait_for("active", SOON, || has_on(&one.node, device, VIP6));
    let capture = one.lab.capture(|f| f.neighbour().is_some()).unwrap();
    assert!(pings(&client, "fd00::1".parse().unwrap()));
    for vip in VIPS6 {
        let vip: Ipv6Addr = vip.parse().unwrap();
        assert!(!pings(&client, vip), "{vip}");
        let answers = |frame: &Captured| {
            let advert = frame.neighbour().map(|seen| seen.advert);
            advert.is_some_and(|a| a.solicited && a.target == vip && a.link_address == Some(mac))
        };
        let answer = capture
            .find(SOON, answers)
            .expect("neighbours are answered");
        assert_eq!(source_mac(&answer), mac);
        let known = run(&client, "ip", &["-6", "neigh", "show", &vip.to_string()]);
        assert!(known.contains("lladdr"), "{known}");
    }
    assert!(connects(&client, "[fd00::1]"));
    assert!(!connects(&client, &format!("[{VIP6}]")) && !echoes(&client, &format!("[{VIP6}]")));
    // The other way round: it finds its neighbours, also in the name of the address.
    one.folder
        .write("node1.conf", &adjust(text6(100, "accept")));
    daemon.signal(libc::SIGHUP);
    wait_for("it is let in", SOON, || {
        VIPS6.iter().all(|vip| pings(&client, vip.parse().unwrap()))
    });
    assert!(connects(&client, &format!("[{VIP6}]")));
    ends_well(&mut daemon);
    assert_eq!(ruleset(&one.node), "");
}

#[test]
fn without_accept_mode_neighbours_are_answered_and_traffic_is_not() {
    neighbours_are_answered_and_traffic_is_not(false);
}

#[test]
fn a_virtual_mac_without_accept_mode_answers_neighbours_and_no_traffic() {
    neighbours_are_answered_and_traffic_is_not(true);
}
