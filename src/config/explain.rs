//! What each code of a [`Diagnostic`](super::diagnostic::Diagnostic) means, at more length.

use super::diagnostic::Code;

/// One kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// Its number.
    pub code: Code,
    /// What it means, and why it matters.
    pub meaning: &'static str,
    /// A file that has it; empty where it takes more than one file, or this host.
    pub example: &'static str,
    /// What to do.
    pub mend: &'static str,
}

/// The explanation of `code`.
#[must_use]
pub fn explain(code: Code) -> Option<&'static Explanation> {
    EXPLANATIONS.iter().find(|e| e.code == code)
}

/// Every code, in order.
#[must_use]
pub fn all() -> &'static [Explanation] {
    EXPLANATIONS
}

/// An instance with these lines in it.
macro_rules! instance {
    ($($line:literal),*) => {
        concat!(
            "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 51\n",
            $("    ", $line, "\n",)*
            "    virtual_ipaddress { 192.0.2.10/24 }\n}\n"
        )
    };
}

const fn row(
    code: u16,
    meaning: &'static str,
    example: &'static str,
    mend: &'static str,
) -> Explanation {
    Explanation {
        code: Code(code),
        meaning,
        example,
        mend,
    }
}

const EXPLANATIONS: &[Explanation] = &[
    row(
        101,
        "A line holds a NUL byte, which no text has. The file was damaged or saved as UTF-16. The whole line is passed over.",
        "global_defs {\n    router_id a\0b\n}\n",
        "Save the file as plain UTF-8 text.",
    ),
    row(
        102,
        "The file begins with a byte order mark, as some Windows editors write it. keepalived takes the mark for part of the first keyword, which it then does not know; vipd skips the mark and says so.",
        "\u{feff}global_defs {\n    router_id a\n}\n",
        "Save the file as UTF-8 without a mark.",
    ),
    row(
        103,
        "A line is longer than the 1023 bytes that keepalived reads at once; what keepalived makes of the rest is not what was meant.",
        "",
        "Break the line: most blocks take one entry on each line.",
    ),
    row(
        104,
        "Some bytes are not valid UTF-8, for instance an ä in Latin-1. They matter only outside of comments.",
        "",
        "Convert the file: `iconv -f latin1 -t utf-8`.",
    ),
    row(
        105,
        "A quote is opened and not closed on its line. Everything up to the end of the line belongs to the quoted word.",
        "global_defs {\n    router_id \"node\n}\n",
        "Write the other quote.",
    ),
    row(
        106,
        "`#` and `!` begin a comment wherever they stand outside of quotes, in the middle of a word too: the password `Secret!` loses its last character. Nodes still agree as long as all of them lose the same.",
        instance!("authentication {\n auth_type PASS\n auth_pass Secret!\n }"),
        "Write `\\!` or `\\#`, or quote the word; do it on all nodes at once.",
    ),
    row(
        110,
        "A parameter `$NAME` or `${NAME}` is used where nothing has defined it. It stays in the text as it is written, so a keyword gets a strange value. Often it is misspelt, or defined further down.",
        "global_defs {\n    router_id ${NODE}\n}\n",
        "Define it on a line before: `$NODE=web1`.",
    ),
    row(
        111,
        "A parameter is defined by itself, directly or by way of others. keepalived hangs on such a file.",
        "$A=$A\nglobal_defs {\n    router_id $A\n}\n",
        "Give it a value that does not use its own name.",
    ),
    row(
        112,
        "The parameters of a file make a line, or the whole file, so long that it cannot be meant. keepalived would use up the memory of the host.",
        "",
        "Look for definitions that use others more than once, and for `~SEQ` with a wide range.",
    ),
    row(
        113,
        "A `~SEQ` or `~LST` line is not in its form, so nothing is generated from it.",
        "~SEQ(A, one, 3) $V$A=1\n",
        "Write `~SEQ(VAR, START, STEP, END) TEXT` or `~LST(VAR, V1, V2) TEXT`.",
    ),
    row(
        114,
        "`${_RANDOM}` has a range that is empty or is not made of numbers.",
        "global_defs {\n    router_id n${_RANDOM 9 3}\n}\n",
        "Write `${_RANDOM MIN MAX}` with MIN below MAX.",
    ),
    row(
        115,
        "Text follows a parameter that stands for several lines. The lines cannot be put into the middle of another one.",
        "",
        "Put the parameter on a line of its own.",
    ),
    row(
        201,
        "A keyword stands without the value that it needs. For most keywords keepalived stops reading there and does not start.",
        "vrrp_instance VI_1 {\n    interface\n}\n",
        "Write the value on the same line.",
    ),
    row(
        202,
        "Something that is not a number stands where a number belongs: a unit (`5s`), a comma for the decimal point, a letter O for zero. The line is ignored and the default holds.",
        instance!("priority 1OO"),
        "Write the bare number; units are fixed for each keyword, see docs/keywords.md.",
    ),
    row(
        203,
        "A number is outside of its range. The line is ignored and the default holds, which is seldom what was meant.",
        instance!("priority 300"),
        "Take a number in the range that the message names.",
    ),
    row(
        204,
        "A word is not one of those that the keyword takes.",
        instance!("state MASTR"),
        "Take one of the words that the message names.",
    ),
    row(
        205,
        "A switch is neither on nor off.",
        "global_defs {\n    vrrp_strict maybe\n}\n",
        "Write on, true or yes, or else off, false or no.",
    ),
    row(
        206,
        "Something that should be an address, a prefix length, a scope or the like is not one.",
        instance!("mcast_src_ip 192.0.2.300"),
        "Write an IPv4 or IPv6 address; names of hosts are not looked up.",
    ),
    row(
        207,
        "No interface can have this name: the kernel takes 1 to 15 bytes without blanks and slashes.",
        "vrrp_instance VI_1 {\n    interface an-interface-too-long\n    virtual_router_id 51\n}\n",
        "`ip link` lists the names.",
    ),
    row(
        208,
        "A script or notify keyword has an empty command.",
        instance!("notify \"\""),
        "Write the path of a program, in quotes if arguments follow it.",
    ),
    row(
        209,
        "A word after an address or a peer is not one of its options.",
        "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 51\n    virtual_ipaddress {\n        192.0.2.10/24 lable eth0:1\n    }\n}\n",
        "The options are those of `ip address add`: dev, label, scope, brd and so on.",
    ),
    row(
        210,
        "VRRPv2 carries 8 bytes of password. What is longer is cut, silently the same on every router that has the same text, but not on one that was given the short form of another.",
        instance!("authentication {\n auth_type PASS\n auth_pass longpassword\n }"),
        "Write 8 characters or fewer. The password is sent in clear text: it keeps mistakes out, not attackers.",
    ),
    row(
        211,
        "The key of a signature has fewer than 32 or more than 64 bytes, or is not proper hex.",
        instance!("auth_hmac {\n key 1 short\n active_key 1\n }"),
        "`openssl rand -hex 32` makes one; write it after `hex:`.",
    ),
    row(
        212,
        "A file that should hold a key cannot be read.",
        instance!("auth_hmac {\n key 1 file:/none\n active_key 1\n }"),
        "Check the path; the file needs the key and nothing else.",
    ),
    row(
        214,
        "Adverts carry the interval: whole seconds in version 2, hundredths up to 40.95 s in version 3. Another value is rounded, and two routers that round differently do not agree on when the other is dead.",
        instance!("advert_int 0.5"),
        "Write `version 3` on all routers, or a whole number of seconds.",
    ),
    row(
        301,
        "The configuration itself cannot be read: it is not there, it is no regular file, it may be executed (which keepalived takes for a script), or permission is missing.",
        "",
        "`ls -l` the path in the message.",
    ),
    row(
        302,
        "An `include` names files of which one is missing or cannot be used. Unless it insists on them, the rest is read.",
        "includer /etc/vipd/none.conf\n",
        "Correct the pattern; a relative one is seen from the directory of the file it stands in.",
    ),
    row(
        303,
        "A file includes itself, directly or by way of others.",
        "",
        "Take one of the includes out.",
    ),
    row(
        304,
        "The name given as the main configuration is a pattern that several files match. All are read, in the order of their names.",
        "",
        "Name one file.",
    ),
    row(
        310,
        "No block that may stand here has this keyword: it is misspelt, it belongs in another block, or it is of an older keepalived. The line is ignored and the rest is read, as keepalived does.",
        instance!("virtual_routr_id 52"),
        "docs/keywords.md lists the keywords of each block.",
    ),
    row(
        311,
        "A `{` begins a block that nothing opens. keepalived passes over everything up to the `}`.",
        "{\n}\n",
        "Write the keyword before the brace, on the same line.",
    ),
    row(
        312,
        "A keyword that opens a block is not followed by `{`.",
        "global_defs\nrouter_id a\n",
        "Write `{` at the end of the line.",
    ),
    row(
        313,
        "A `}` closes a block, but none is open: there is one too many, or its `{` is missing further up.",
        "}\n",
        "Count the braces above.",
    ),
    row(
        314,
        "The file ends inside a block.",
        "global_defs {\n    router_id a\n",
        "Write the missing `}`.",
    ),
    row(
        315,
        "A block that has a name was opened without one.",
        "vrrp_instance {\n}\n",
        "Write a name between the keyword and the `{`.",
    ),
    row(
        316,
        "A word stands between a keyword and its `{`, but such lists have no name.",
        instance!("track_interface mine {\n eth1\n }"),
        "Take the word out.",
    ),
    row(
        401,
        "keepalived does something for this keyword that vipd does not do yet. It is read and checked, and nothing comes of it.",
        instance!("smtp_alert"),
        "See docs/compatibility.md for what is to come. If the service depends on it, stay with keepalived on this host.",
    ),
    row(
        402,
        "The keyword works, and a newer one has taken its place.",
        "global_defs {\n    lvs_flush_onstop\n}\n",
        "Write the keyword that the message names.",
    ),
    row(
        403,
        "A name is used that nothing defines: a script, an instance of a group, a file or a process. It is misspelt, or stands after its use. A node that tracks nothing does not fail over when the service dies.",
        instance!("track_script {\n chk_nginx\n }"),
        "Define it before it is used.",
    ),
    row(
        404,
        "The same thing is written twice. The first one stays.",
        "vrrp_script s {\n    script /bin/true\n}\nvrrp_script s {\n    script /bin/false\n}\n",
        "Take one of them out, or give it another name.",
    ),
    row(
        405,
        "A sync group needs at least two instances to keep together.",
        "vrrp_sync_group G {\n    group {\n    }\n}\n",
        "List the names of instances, one on each line.",
    ),
    row(
        406,
        "`notification_email` lists nobody.",
        "global_defs {\n    notification_email {\n    }\n}\n",
        "List addresses, or take the block out.",
    ),
    row(
        407,
        "A block lacks the one line that makes it useful, so it is dropped. What tracks it then tracks nothing.",
        "vrrp_script s {\n    interval 2\n}\n",
        "Write the line that the message names.",
    ),
    row(
        408,
        "Scripts run as root, and nothing keeps others from changing them: whoever can write to the program, or to a directory on the way to it, becomes root.",
        "vrrp_script s {\n    script /bin/true\n}\n",
        "Write `enable_script_security` and `script_user USER` in `global_defs`.",
    ),
    row(
        409,
        "The loopback interface reaches no other router.",
        "vrrp_instance VI_1 {\n    interface lo\n}\n",
        "Name the interface that the routers share. To have an address on `lo`, write `dev lo` behind it.",
    ),
    row(
        410,
        "A virtual router is of one family. An address of the other one cannot be in its adverts.",
        instance!(
            "virtual_ipaddress { 192.0.2.11/24 }",
            "mcast_src_ip 2001:db8::1"
        ),
        "Put it in `virtual_ipaddress_excluded`, or make an instance of its own for the other family.",
    ),
    row(
        411,
        "Routers that share an address know each other by the VRID. Without one the instance cannot run.",
        "vrrp_instance VI_1 {\n    interface eth0\n    virtual_ipaddress { 192.0.2.10/24 }\n}\n",
        "Write `virtual_router_id NUMBER`, 1 to 255: the same on all routers of the address, and no other on that network.",
    ),
    row(
        412,
        "An instance has no interface to send adverts on.",
        "vrrp_instance VI_1 {\n    virtual_router_id 51\n    virtual_ipaddress { 192.0.2.10/24 }\n}\n",
        "Write `interface NAME`.",
    ),
    row(
        413,
        "An ipvlan device sends from an address of its own, and the kernel has no virtual MAC address beside one.",
        instance!("use_ipvlan"),
        "Write `use_ipvlan ADDRESS/LENGTH`; an interface has either `use_ipvlan` or `use_vmac`.",
    ),
    row(
        414,
        "Strict mode keeps to the RFC, which has no unicast.",
        instance!("strict_mode on", "unicast_peer {\n 192.0.2.2\n }"),
        "Write `strict_mode off` in the instance, or use multicast.",
    ),
    row(
        415,
        "Version 3 and strict mode need an address that moves.",
        "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 51\n    version 3\n}\n",
        "Write `virtual_ipaddress`, or `no_virtual_ipaddress` if none is meant.",
    ),
    row(
        416,
        "Two instances on one interface have the same VRID, so each would take the other's adverts for its own.",
        "vrrp_instance A {\n    interface eth0\n    virtual_router_id 51\n    virtual_ipaddress { 192.0.2.10/24 }\n}\nvrrp_instance B {\n    interface eth0\n    virtual_router_id 51\n    virtual_ipaddress { 192.0.2.11/24 }\n}\n",
        "Give each a number of its own, the same on its other routers.",
    ),
    row(
        417,
        "Adverts are to be signed, but there is no key to sign with. keepalived would run without signatures, and peers would drop its adverts.",
        instance!("auth_hmac {\n active_key 1\n }"),
        "Write `key ID hex:DIGITS` and `active_key ID`.",
    ),
    row(
        418,
        "A virtual server leaves protocol, scheduler or forwarding method to the default, which keepalived complains of.",
        "virtual_server 192.0.2.1 80 {\n    protocol TCP\n    real_server 192.0.2.2 80 {\n    }\n}\n",
        "Write `protocol`, `lb_algo` and `lb_kind`.",
    ),
    row(
        420,
        "With `state MASTER` and no `priority` keepalived takes the node for the owner of the addresses, priority 255: it wins against everyone, and weights of trackers do not count.",
        instance!("state MASTER"),
        "Write `priority 100`, or another number below 255.",
    ),
    row(
        421,
        "Two settings contradict each other, or one has no effect here. It is corrected as keepalived does it.",
        instance!("state MASTER", "priority 100", "preempt_delay 5"),
        "Take out the setting that the message names.",
    ),
    row(
        422,
        "`nopreempt` keeps a node that comes back from taking over. `state MASTER` says that it takes over at once; keepalived ignores `nopreempt` then.",
        instance!("state MASTER", "priority 150", "nopreempt"),
        "Write `state BACKUP` on all routers.",
    ),
    row(
        423,
        "A keyword asks for unicast, but there are no peers, so adverts go out by multicast, which the network may not carry.",
        instance!("unicast_src_ip 192.0.2.1"),
        "List the other routers in `unicast_peer`.",
    ),
    row(
        424,
        "The state of an instance's own interface always counts; to track it as well changes nothing.",
        instance!("track_interface {\n eth0\n }"),
        "Take the line out.",
    ),
    row(
        425,
        "The owner of addresses always has priority 255: a weight cannot lower it.",
        "vrrp_script s {\n    script /bin/true\n    weight -20\n}\nvrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 51\n    priority 255\n    track_script {\n        s\n    }\n    virtual_ipaddress { 192.0.2.10/24 }\n}\n",
        "Lower the priority, or track without weight: a failure is then a fault.",
    ),
    row(
        426,
        "A routing rule has no preference, so its place among the others depends on the order of their addition.",
        instance!("virtual_rules {\n from 192.0.2.0/24 table 100\n }"),
        "Write `preference NUMBER`.",
    ),
    row(
        427,
        "Owners of their addresses never yield, so a sync group of owners and others cannot keep together.",
        "vrrp_sync_group G {\n    group {\n        A\n        B\n    }\n}\nvrrp_instance A {\n    interface eth0\n    virtual_router_id 1\n    priority 255\n    virtual_ipaddress { 192.0.2.10/24 }\n}\nvrrp_instance B {\n    interface eth0\n    virtual_router_id 2\n    virtual_ipaddress { 192.0.2.11/24 }\n}\n",
        "Give all members a priority below 255.",
    ),
    row(
        428,
        "A weight would change the priority of one member of a sync group and tear it from the others. keepalived takes the weight away unless the group allows weights.",
        "vrrp_script s {\n    script /bin/true\n    weight -20\n}\nvrrp_instance A {\n    interface eth0\n    virtual_router_id 1\n    track_script {\n        s\n    }\n    virtual_ipaddress { 192.0.2.10/24 }\n}\nvrrp_sync_group G {\n    group {\n        A\n    }\n}\n",
        "Write `sync_group_tracking_weight` in the group, and track in the group.",
    ),
    row(
        429,
        "Adverts over IPv6 come from a link-local address, and RFC 9568 wants the first address that moves to be one as well, so that routes through it stay valid.",
        "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 51\n    virtual_ipaddress { 2001:db8::10/64 }\n}\n",
        "Put an address such as `fe80::1:2` in front, the same on all its routers.",
    ),
    row(
        430,
        "A program is not there, cannot be run by its user, or could be changed by somebody other than root. keepalived disables it: the node does not notice when the service dies.",
        "",
        "Run the program by hand as its user; check every directory on its path.",
    ),
    row(
        431,
        "Somebody other than its owner can read a key. Who has the key can take over the addresses.",
        "",
        "`chmod 600` the file.",
    ),
    row(
        432,
        "A `vrrp_script` is written and no instance and no sync group lists it, so it never runs: the node does not notice when the service dies.",
        "vrrp_script s {\n    script \"/bin/true\"\n}\nvrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 77\n    virtual_ipaddress { 192.0.2.10/24 }\n}\n",
        "List its name in `track_script` of the instance.",
    ),
    row(
        433,
        "Commands run without a shell: `|`, `&&`, `>` and their like are handed to the program as arguments, and the test tests something else.",
        "vrrp_script s {\n    script \"pidof nginx || exit 1\"\n}\nvrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 77\n    track_script {\n        s\n    }\n    virtual_ipaddress { 192.0.2.10/24 }\n}\n",
        "Put the line into a file with `#!/bin/sh`, or write `/bin/sh -c '...'`.",
    ),
    row(
        434,
        "From the death of the service to the failure of its script more than a minute may pass: `fall` runs that are `interval` apart, and the `timeout` of the last one.",
        "vrrp_script s {\n    script \"/bin/true\"\n    interval 60\n    fall 3\n}\nvrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 77\n    track_script {\n        s\n    }\n    virtual_ipaddress { 192.0.2.10/24 }\n}\n",
        "Check more often. A check that costs too much for that is better done with a smaller request.",
    ),
    row(
        435,
        "The other nodes wait for three adverts before they take over. With this interval clients are without the address for more than half a minute.",
        instance!("advert_int 60"),
        "`advert_int 1` is usual; version 3 allows hundredths of a second.",
    ),
    row(
        436,
        "After the command of a notification stand the user and the group that it runs as. An argument that is written there is taken for a user who does not exist, and the program is not run.",
        instance!("notify_master /etc/notify.sh master"),
        "Put program and arguments into quotes.",
    ),
    row(
        440,
        "Priorities end at 1 and 254, and what a weight would add or take beyond that is lost. This tracker's failure leaves the priority as it is, so nothing moves.",
        "vrrp_script s {\n    script \"/bin/true\"\n    weight 20\n}\nvrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 77\n    priority 254\n    track_script {\n        s\n    }\n    virtual_ipaddress { 192.0.2.10/24 }\n}\n",
        "Leave room between the priority and the end, for all weights together.",
    ),
    row(
        441,
        "An instance without an interface sends its adverts where the routes lead. An address that names no interface goes to the default one, which need not be where it belongs.",
        "vrrp_instance VI_1 {\n    virtual_router_id 51\n    unicast_src_ip 192.0.2.1\n    unicast_peer {\n        192.0.2.2\n    }\n    virtual_ipaddress { 192.0.2.10/24 }\n}\n",
        "Write `dev NAME` behind the address.",
    ),
    row(
        442,
        "A peer is a name. The daemon looks it up while it runs, and an instance that knows the address of no peer stays in the fault state. keepalived takes addresses only, and would leave the peer out.",
        instance!("unicast_peer {\n lb2.example.net\n }"),
        "Write an address, or put the name into /etc/hosts so that the node can start without a name server.",
    ),
    row(
        443,
        "The first address of a network names the network, the last one is its broadcast address. No host answers for either.",
        "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 51\n    virtual_ipaddress { 192.0.2.255/24 }\n}\n",
        "Take another address, or correct the prefix length.",
    ),
    row(
        444,
        "The address is to move, and it is also what a node sends its adverts from. When it moves, that node loses its own address.",
        instance!("mcast_src_ip 192.0.2.10"),
        "Give each node an address of its own; the one that moves is a further one.",
    ),
    row(
        445,
        "The address and the one that adverts come from are not of one network. That may be meant; more often an address got the wrong prefix length, or belongs on another interface.",
        instance!("mcast_src_ip 198.51.100.1"),
        "Correct the prefix length, or write `dev NAME` behind the address.",
    ),
    row(
        446,
        "An address without a prefix length counts as a single host, /32. It works where the interface has another address in the same network; else there is no route to the neighbours.",
        "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 51\n    virtual_ipaddress { 192.0.2.10 }\n}\n",
        "Write the length: `192.0.2.10/24`.",
    ),
    row(
        447,
        "An advert lists all addresses in one packet, at most 255 and only as many as fit. What does not fit is moved as well, and not advertised.",
        "",
        "Write what is beyond it in `virtual_ipaddress_excluded`, the same on all nodes.",
    ),
    row(
        448,
        "The same VRID in two groups of one network makes each take the adverts of the other for its own. This number stands in many examples, so somebody else may have it.",
        instance!("priority 100"),
        "`tcpdump -n vrrp` on the network shows which numbers are used.",
    ),
    row(
        449,
        "Priority 255 is for the router whose interface has the addresses anyway. It wins at once, and no tracker with a weight lowers it.",
        instance!("priority 255"),
        "Write a priority below 255.",
    ),
    row(
        450,
        "The list of peers is the same file for all nodes, perhaps, and holds the node's own address. Its adverts come back to it.",
        instance!("unicast_src_ip 192.0.2.1", "unicast_peer { 192.0.2.1 }"),
        "Leave out each node's own address in its file.",
    ),
    row(
        451,
        "The interface has addresses on this host, and none of them is in the network of this one. Neighbours have no reason to ask for it there. Nothing else tells a wrong digit from an address that is meant.",
        "",
        "Correct the address, or write `dev NAME` for the interface that has its network.",
    ),
    row(
        452,
        "Strict mode has no accept mode, so the node drops whatever is sent to its addresses unless it owns them: no ping, no web server. This is right for a router and wrong for a server.",
        "global_defs {\n    vrrp_strict\n}\nvrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 77\n    virtual_ipaddress { 192.0.2.10/24 }\n}\n",
        "Take `vrrp_strict` out, or in version 3 write `accept`.",
    ),
    row(
        453,
        "Two instances of a node move the same address. When one of them steps back it takes the address away from the other.",
        "vrrp_instance A {\n    interface eth0\n    virtual_router_id 1\n    virtual_ipaddress { 192.0.2.10/24 }\n}\nvrrp_instance B {\n    interface eth0\n    virtual_router_id 2\n    virtual_ipaddress { 192.0.2.10/24 }\n}\n",
        "Leave the address in one of them.",
    ),
    row(
        460,
        "This host has no such interface. The instance waits in the fault state until it appears.",
        "",
        "`ip link` lists the interfaces.",
    ),
    row(
        501,
        "The file is not TOML: a quote, a bracket or a value is missing. Nothing else is looked at until this is mended.",
        "[instance.web\nvrid = 51\n",
        "Texts stand in quotes, lists in brackets: `interface = \"eth0\"`.",
    ),
    row(
        502,
        "vipd.toml has no such key in this table: it is misspelt, stands in the wrong table, or is keepalived's word for it.",
        "[instance.web]\nvirtual_router_id = 51\n",
        "docs/vipd.schema.json lists the keys; editors that know JSON schemas complete them.",
    ),
    row(
        503,
        "A value is not of the kind that its key takes.",
        "[instance.web]\ninterval = 1\n",
        "Numbers stand without quotes, all else with; times have a unit: \"1s\", \"100ms\".",
    ),
    row(
        504,
        "Two keys exclude each other.",
        "[instance.web]\nunicast = { peers = [\"192.0.2.2\"] }\nmulticast = { group = \"224.0.0.19\" }\n",
        "Keep one of them.",
    ),
    row(
        505,
        "A password or key is kept outside of the file, and is not there: an unset variable, a file that cannot be read, or a credential that the unit does not load.",
        "[instance.web]\nauth.password = { env = \"UNSET\" }\n",
        "Check the name; for credentials, `LoadCredential=` of the unit.",
    ),
    row(
        506,
        "A file that `include` matches cannot be read, or includes others itself.",
        "",
        "Only the main file includes.",
    ),
    row(
        507,
        "The key makes no sense for the address family of the instance: version 2 knows IPv4 only; only adverts over IPv6 list a link-local address, and only IPv6 has router advertisements.",
        "[instance.web]\ninterface = \"eth0\"\nvrid = 51\nversion = \"both\"\naddresses = [\"fe80::51/64\"]\n",
        "Take the key out.",
    ),
    row(
        508,
        "With both versions, adverts of version 2 leave at the configured rate but carry whole seconds. A router that knows version 2 alone waits for three of the seconds that it is told.",
        "[instance.web]\ninterface = \"eth0\"\nvrid = 51\nversion = \"both\"\ninterval = \"100ms\"\naddresses = [\"192.0.2.10/24\"]\n",
        "Nothing, if such routers may be slower; else write whole seconds.",
    ),
    row(
        509,
        "Hosts take router advertisements only from a link-local address, and all routers of the instance must have the same one: it is the first of `addresses`.",
        "[instance.web]\ninterface = \"eth0\"\nvrid = 51\naddresses = [\"2001:db8::1/64\"]\nrouter_advertisement = { interval = \"30s\" }\n",
        "Put a link-local address in front: `addresses = [\"fe80::51/64\", \"2001:db8::1/64\"]`.",
    ),
    row(
        601,
        "No other node knows this virtual router, so nobody takes over its address.",
        "",
        "Give the file of the other node, or the instance to it.",
    ),
    row(
        602,
        "Nodes have the same address under different VRIDs. They do not hear each other, and both hold the address.",
        "",
        "Use one VRID on all nodes.",
    ),
    row(
        603,
        "Nodes speak different versions and drop each other's adverts: both hold the address.",
        "",
        "Write the same `version` on all nodes.",
    ),
    row(
        604,
        "Nodes differ in authentication and drop each other's adverts: both hold the address.",
        "",
        "Use the same type and secret on all nodes.",
    ),
    row(
        605,
        "Nodes do not carry the same addresses, so some are lost or doubled when they move.",
        "",
        "List the same addresses on all nodes.",
    ),
    row(
        606,
        "Nodes differ in the interval of their adverts. Version 2 drops such adverts; version 3 takes over the interval of the active node.",
        "",
        "Write the same `advert_int` on all nodes.",
    ),
    row(
        607,
        "Nodes have the same priority. On a tie the higher address wins, which nobody sees in the files.",
        "",
        "Give each node a priority of its own.",
    ),
    row(
        608,
        "More than one node says that it owns the addresses (255). None yields to the other.",
        "",
        "Leave 255 to one node, or to none.",
    ),
    row(
        609,
        "Nodes send adverts to different places: some by multicast, some by unicast, or to different groups.",
        "",
        "Use the same on all nodes.",
    ),
    row(
        610,
        "A node does not list another one as its peer, so that one does not hear it.",
        "",
        "List every other node in `unicast_peer`.",
    ),
    row(
        611,
        "Nodes send from the same address; each takes the adverts of the other for its own.",
        "",
        "Give each node its own source.",
    ),
    row(
        612,
        "Nodes send different checksums of version 3 over IPv4. vipd accepts both; keepalived and others do not.",
        "",
        "Set `v3_checksum_as_v2` the same on all nodes.",
    ),
    row(
        613,
        "More than one node begins with `state MASTER`. They elect at once all the same; the word has little effect.",
        "",
        "Write `state BACKUP` on all nodes, and let `priority` decide.",
    ),
    row(
        614,
        "`nopreempt` stands on a node of lower priority only. It keeps the node that has it from taking over; the one above it still does when it returns.",
        "",
        "Write it on the node of highest priority, with `state BACKUP`.",
    ),
    row(
        615,
        "A sync group keeps other virtual routers together on one node than on another. When one of them moves, the other node does not take the same ones over, and traffic that needs both breaks.",
        "",
        "List the same instances in `vrrp_sync_group` on all nodes.",
    ),
    row(
        616,
        "Members of a sync group are Active on one node together. With these priorities or trackers the nodes would be elected differently for each, so the group changes sides again and again.",
        "",
        "Give all members of a group the same priority on a node, and let the group do the tracking.",
    ),
    row(
        617,
        "With accept mode off a node drops what is sent to the addresses. The service answers or not, depending on which node is active.",
        "",
        "Write `accept` on all nodes or on none, and `vrrp_strict` likewise.",
    ),
    row(
        618,
        "One node answers with the MAC address of the VRID, the other with that of its interface. Every takeover changes what clients have learnt.",
        "",
        "Write `use_vmac` on all nodes or on none.",
    ),
    row(
        619,
        "Nodes wait for a different number of adverts before they take over, so the one that comes first in priority may come second.",
        "",
        "Write the same `down_timer_adverts` on all nodes.",
    ),
    row(
        620,
        "After this failure the address stays on a node that does not work. Usually a weight is smaller than the distance between the priorities.",
        "",
        "Make the weight larger than the distance, or track without weight.",
    ),
    row(
        621,
        "Only some nodes watch this service, so the address may move to a node where it is dead.",
        "",
        "Track it on all nodes.",
    ),
    row(
        622,
        "When this link is down the node keeps the address, because `dont_track_primary` tells it not to look, and another one takes it too.",
        "",
        "Take `dont_track_primary` out, or track the interface.",
    ),
    row(
        623,
        "A peer takes adverts only with a TTL that this node never sends, so both hold the address.",
        "",
        "Raise `unicast_ttl`, or lower `min_ttl`.",
    ),
    row(
        624,
        "Nodes have the same `router_id`, so mails and logs do not say which one they come from. The file was copied whole.",
        "",
        "Give each node a name of its own, or leave `router_id` out: the host name is used.",
    ),
    row(
        625,
        "The node that is active tells IPv6 hosts of the router that they all share. Another node tells them something else, or nothing: after a takeover hosts have other values, or lose their router when its lifetime ends.",
        "",
        "Write the same `router_advertisement` on all nodes.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::Memory;
    use crate::config::{Options, lint, load};

    #[test]
    fn every_example_has_its_problem() {
        let mut wrong = Vec::new();
        for Explanation { code, example, .. } in EXPLANATIONS {
            if example.is_empty() {
                continue;
            }
            let name = match code.0 {
                500..600 => "vipd.toml",
                _ => "keepalived.conf",
            };
            let reader = Memory::default().with(name, *example);
            let loaded = load(name, &Options::default(), &reader);
            let lints = lint::lint(&loaded, lint::Detail::Notes);
            let all = loaded.diagnostics.iter().chain(&lints);
            let codes: Vec<_> = all.map(|d| d.code).collect();
            if !codes.contains(code) {
                wrong.push(format!("{code}: {codes:?}\n{example}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn the_codes_are_in_order() {
        let codes: Vec<_> = EXPLANATIONS.iter().map(|e| e.code).collect();
        assert!(
            codes.is_sorted_by(|a, b| a < b),
            "a code stands for one thing"
        );
    }

    /// Every `Code(…)`, and every number that begins or is alone in a list of arguments.
    fn numbers(text: &str) -> Vec<u16> {
        let code = text
            .split("\n#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        let starts = ["Code(", "warn(", "error(", "            (1"];
        let mut found = Vec::new();
        for start in starts {
            for (at, _) in code.match_indices(start) {
                let skip = start.len() - usize::from(start.ends_with('1'));
                let rest = code[at + skip..].trim_start();
                let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
                found.extend(rest[..digits].parse::<u16>());
            }
        }
        found.retain(|n| (100..700).contains(n));
        found
    }

    #[test]
    fn every_code_that_is_used_is_explained() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut folders = vec![root.join("config"), root.join("cli")];
        let mut used = std::collections::BTreeSet::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("explain.rs") {
                    used.extend(numbers(&std::fs::read_to_string(path).unwrap()));
                }
            }
        }
        assert!(used.len() > 60, "{used:?}");
        let missing: Vec<_> = used
            .iter()
            .filter(|n| explain(Code(**n)).is_none())
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
        let unused = EXPLANATIONS.iter().filter(|e| !used.contains(&e.code.0));
        let unused: Vec<_> = unused.map(|e| e.code).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }
}
