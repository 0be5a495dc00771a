use super::*;
use crate::config::model::SyncGroup;
use crate::config::peers::fixture::{NGINX, file, from, node, tracking, waiting};
use crate::config::peers::virtual_routers;
use crate::types::{Priority, Vrid};

fn table(nodes: &[Instance]) -> Vec<Row> {
    let configs: Vec<Config> = nodes.iter().cloned().map(file).collect();
    let configs: Vec<&Config> = configs.iter().collect();
    truth_table(&virtual_routers(&configs)[0].members)
}

fn nginx_dies(nodes: &[Instance], on: &[usize]) -> Row {
    let cause = Some(Cause::Script(NGINX.to_owned()));
    table(nodes)
        .into_iter()
        .find(|r| r.cause == cause && r.nodes == on && r.dead.is_empty())
        .unwrap()
}

fn fails(nodes: &[Instance], cause: &Cause, on: usize) -> Row {
    let found = |r: &Row| r.cause.as_ref() == Some(cause) && r.nodes == [on];
    table(nodes).into_iter().find(found).unwrap()
}

fn on(nodes: &[usize]) -> Holders {
    nodes.iter().copied().collect()
}

#[test]
fn the_founding_pair_does_not_move_when_nginx_dies() {
    let row = nginx_dies(&[tracking(node(100), 2), node(99)], &[0]);
    assert_eq!(row.holders, on(&[0]));
    let stuck = row.stuck.unwrap();
    assert_eq!((stuck.holder.get(), stuck.rival.get()), (100, 99));
    assert_eq!(stuck.reason, Reason::Outranks);
    let negative = Choice {
        points: -253..=-2,
        holder: Priority::new(98),
        rival: Priority::new(99),
    };
    assert_eq!(
        stuck.here,
        Weights {
            negative: Some(negative),
            fault: true,
            positive: None
        }
    );
    let positive = Choice {
        points: 2..=154,
        holder: Priority::new(100),
        rival: Priority::new(101),
    };
    assert_eq!(stuck.everywhere.unwrap().positive, Some(positive));
}

#[test]
fn the_weights_found_move_the_address_and_their_neighbours_do_not() {
    for (points, moves) in [
        (-1, false),
        (-2, true),
        (-253, true),
        (0, true),
        (253, false),
    ] {
        let row = nginx_dies(&[tracking(node(100), points), node(99)], &[0]);
        assert_eq!(row.holders == on(&[1]), moves, "{points}");
    }
    for (points, moves) in [(1, false), (2, true), (154, true)] {
        let pair = [tracking(node(100), points), tracking(node(99), points)];
        assert_eq!(
            nginx_dies(&pair, &[0]).holders == on(&[1]),
            moves,
            "{points}"
        );
    }
}

#[test]
fn an_address_that_moved_returns_when_the_failure_is_mended() {
    let row = nginx_dies(&[tracking(node(100), -20), tracking(node(99), -20)], &[0]);
    assert_eq!(
        (row.holders, row.mended, row.stuck),
        (on(&[1]), on(&[0]), None)
    );
}

#[test]
fn the_same_failure_on_every_node_keeps_the_order_or_leaves_nobody() {
    let weighted = [tracking(node(100), -20), tracking(node(99), -20)];
    assert_eq!(nginx_dies(&weighted, &[0, 1]).holders, on(&[0]));
    let fault = [tracking(node(100), 0), tracking(node(99), 0)];
    assert_eq!(nginx_dies(&fault, &[0, 1]).holders, on(&[]));
}

#[test]
fn a_dead_host_or_a_link_that_is_down_leaves_the_election() {
    let pair = [node(100), node(99)];
    let eth0 = Cause::Interface(InterfaceName::new("eth0").unwrap());
    for cause in [Cause::Host, eth0] {
        let row = fails(&pair, &cause, 0);
        assert_eq!((row.holders, row.mended), (on(&[1]), on(&[0])), "{cause}");
        assert_eq!(fails(&pair, &cause, 1).holders, on(&[0]), "{cause}");
    }
}

#[test]
fn nopreempt_leaves_the_address_with_a_live_node_of_lower_priority() {
    let pair = [waiting(node(100)), node(99)];
    let row = fails(&pair, &Cause::Host, 0);
    assert_eq!((row.holders, row.mended), (on(&[1]), on(&[1])));
}

#[test]
fn against_a_waiting_backup_only_a_fault_moves_the_address() {
    let row = nginx_dies(&[tracking(node(100), -20), waiting(node(99))], &[0]);
    let stuck = row.stuck.unwrap();
    assert_eq!(stuck.reason, Reason::NoPreempt);
    assert_eq!(
        stuck.here,
        Weights {
            negative: None,
            fault: true,
            positive: None
        }
    );
}

#[test]
fn silence_ends_the_wait_of_a_nopreempt_backup() {
    let row = nginx_dies(&[tracking(node(100), 0), waiting(node(99))], &[0]);
    assert_eq!(row.holders, on(&[1]));
}

#[test]
fn a_tie_moves_nothing_from_a_live_node() {
    let stuck = nginx_dies(&[tracking(node(100), -1), node(99)], &[0])
        .stuck
        .unwrap();
    assert_eq!(stuck.reason, Reason::Ties);
}

#[test]
fn a_tie_at_rest_goes_to_the_higher_address_where_it_is_known() {
    let rest = |nodes: &[Instance]| table(nodes).swap_remove(0).holders;
    assert_eq!(rest(&[node(100), node(100)]), on(&[0, 1]));
    let known = [from(node(100), "10.0.0.1"), from(node(100), "10.0.0.2")];
    assert_eq!(rest(&known), on(&[1]));
}

#[test]
fn the_third_node_takes_over_when_it_is_the_highest_left() {
    let nodes = [tracking(node(100), -20), waiting(node(90)), node(95)];
    let row = nginx_dies(&nodes, &[0]);
    assert_eq!((row.holders, row.mended), (on(&[2]), on(&[0])));
    assert_eq!(fails(&nodes, &Cause::Host, 2).holders, on(&[0]));
}

#[test]
fn a_lower_node_that_preempts_passes_a_higher_one_that_waits() {
    let nodes = [tracking(node(100), -20), waiting(node(99)), node(95)];
    assert_eq!(nginx_dies(&nodes, &[0]).holders, on(&[2]));
}

#[test]
fn an_owner_keeps_the_address_whatever_its_weights() {
    let stuck = nginx_dies(&[tracking(node(255), -20), node(99)], &[0])
        .stuck
        .unwrap();
    assert_eq!(stuck.reason, Reason::Owner);
    assert_eq!(
        stuck.here,
        Weights {
            negative: None,
            fault: true,
            positive: None
        }
    );
}

#[test]
fn a_node_that_ignores_its_own_link_keeps_the_address_too() {
    let mut deaf = node(100);
    deaf.ignore_own_interface = true;
    let eth0 = Cause::Interface(InterfaceName::new("eth0").unwrap());
    let row = fails(&[deaf, node(99)], &eth0, 0);
    assert_eq!(
        (row.holders, row.unheard, row.mended),
        (on(&[1]), on(&[0]), on(&[0]))
    );
}

#[test]
fn a_link_that_carries_an_address_counts() {
    let mut carrying = node(100);
    let mut address = crate::types::VirtualAddress::new("10.9.0.1".parse().unwrap(), 24);
    address.interface = InterfaceName::new("eth1");
    carrying.addresses.push(address);
    let eth1 = Cause::Interface(InterfaceName::new("eth1").unwrap());
    assert_eq!(fails(&[carrying, node(99)], &eth1, 0).holders, on(&[1]));
}

/// Two virtual routers in one sync group, on eth0 and eth1.
fn together(priority: u8) -> Config {
    let mut inside = node(priority);
    inside.name = "INSIDE".to_owned();
    inside.interface = InterfaceName::new("eth1");
    inside.protocol.vrid = Vrid::new(52).unwrap();
    let mut config = file(node(priority));
    config.instances.push(inside);
    config.groups.push(SyncGroup {
        name: "G".to_owned(),
        members: vec!["VI_1".to_owned(), "INSIDE".to_owned()],
        ..SyncGroup::default()
    });
    config
}

#[test]
fn a_fault_of_one_member_moves_the_whole_sync_group() {
    let configs = [together(100), together(99)];
    let configs: Vec<&Config> = configs.iter().collect();
    for router in virtual_routers(&configs) {
        for name in ["eth0", "eth1"] {
            let cause = Some(Cause::Interface(InterfaceName::new(name).unwrap()));
            let rows = truth_table(&router.members);
            let row = rows.iter().find(|r| r.cause == cause && r.nodes == [0]);
            let row = row.unwrap();
            assert_eq!(row.standings[0], Standing::Fault);
            assert_eq!(
                (&row.holders, &row.mended),
                (&on(&[1]), &on(&[0])),
                "{name}"
            );
        }
    }
}

#[test]
fn a_weight_of_a_companion_is_no_failure_of_a_member() {
    let mut config = together(100);
    config.instances[1] = tracking(config.instances[1].clone(), -20);
    let configs = [config, together(99)];
    let configs: Vec<&Config> = configs.iter().collect();
    let routers = virtual_routers(&configs);
    let scripts = |rows: Vec<Row>| {
        let is_script = |r: &&Row| matches!(r.cause, Some(Cause::Script(_)));
        rows.iter().filter(is_script).count()
    };
    assert_eq!(scripts(truth_table(&routers[0].members)), 0);
    assert!(scripts(truth_table(&routers[1].members)) > 0);
}

#[test]
fn eight_nodes_die_one_after_the_other() {
    let nodes: Vec<Instance> = (0..8).map(|n| node(100 - n)).collect();
    let rows = table(&nodes);
    let cascades: Vec<_> = rows
        .iter()
        .filter(|r| r.nodes.len() > 1)
        .map(|r| (r.nodes.len(), r.holders.clone()))
        .collect();
    let expected: Vec<_> = (2..8).map(|n| (n, on(&[n]))).collect();
    assert_eq!(cascades, expected);
    assert!(rows.iter().all(|r| r.mended == on(&[0])));
}

#[test]
fn a_script_that_fails_wherever_the_address_goes_is_played_to_the_last_node() {
    let nodes = [100, 99, 98].map(|p| tracking(node(p), -20));
    let row = nginx_dies(&nodes, &[0, 1]);
    assert_eq!(row.holders, on(&[2]));
    let all = nginx_dies(&nodes, &[0, 1, 2]);
    assert_eq!(all.holders, on(&[0]));
}

#[test]
fn on_the_last_node_a_weight_keeps_the_address_and_a_fault_does_not() {
    let last = |points| {
        let rows = table(&[tracking(node(100), points), tracking(node(99), points)]);
        let is_last = |r: &&Row| r.nodes == [1] && r.dead == [0];
        rows.iter().find(is_last).unwrap().clone()
    };
    assert_eq!(last(-20).holders, on(&[1]));
    assert_eq!(last(0).holders, on(&[]));
    assert_eq!(last(0).standings, [Standing::Dead, Standing::Fault]);
}

#[test]
fn a_cascade_ends_where_the_address_stays_on_a_node_that_failed() {
    let nodes = [100, 99, 98].map(|p| tracking(node(p), 2));
    let rows = table(&nodes);
    let two = rows.iter().filter(|r| r.nodes.len() == 2);
    let causes: Vec<_> = two.map(|r| r.cause.clone().unwrap()).collect();
    assert_eq!(causes, [Cause::Host, Cause::Script(NGINX.to_owned())]);
    // 100 against 101 moves it to node 2; then 100 of node 1 against 100 of node 3 moves nothing.
    assert_eq!(nginx_dies(&nodes, &[0, 1]).holders, on(&[0]));
}
