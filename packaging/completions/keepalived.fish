complete -c keepalived -s f -l use-file -d 'read this configuration' -r -F
complete -c keepalived -s S -l log-facility -d 'syslog facility: 0 to 7 or local0 to local7, user, daemon' -r -f
complete -c keepalived -s g -l log-file -d 'log to a file too; default keepalived.log in TMPDIR or /tmp' -r -F
complete -c keepalived -s u -l umask -d 'mode bits that files do not get; wins over the file\'s umask' -r -f
complete -c keepalived -s p -l pid -d 'pid file' -r -F
complete -c keepalived -s r -l vrrp_pid -d 'pid file of VRRP, which is the same process' -r -F
complete -c keepalived -s c -l checkers_pid -d 'pid file of health checks (no effect: LVS is not active yet)' -r -F
complete -c keepalived -s b -l bfd_pid -d 'pid file of BFD (no effect: BFD is not active yet)' -r -F
complete -c keepalived -s A -l snmp-agent-socket -d 'where the SNMP master agent is (no effect: SNMP is not active yet)' -r -f
complete -c keepalived -s s -l namespace -d 'join this network namespace; wins over net_namespace' -r -f
complete -c keepalived -s M -l core-dump-pattern -d 'the same; the pattern stays the host\'s' -r -f
complete -c keepalived -s i -l config-id -d 'what @ID means in the file; default the host name up to its first dot' -r -f
complete -c keepalived -l signum -d 'print the number of STOP, RELOAD, DATA, STATS, STATS_CLEAR or JSON' -r -f
complete -c keepalived -s t -l config-test -d 'say what is wrong in the configuration, on the standard error or at the end of a file' -r -F
complete -c keepalived -l config-fd -d 'used by keepalived alone (no effect: keepalived\'s own business)' -r -f
complete -c keepalived -l perf -d 'profiling (no effect: use perf(1))' -r -f
complete -c keepalived -l debug -d 'debugging (no effect: -D and VIPD_LOG say how much is logged)' -r -f
complete -c keepalived -s P -l vrrp -d 'VRRP without health checks (no effect: LVS is not active yet)'
complete -c keepalived -s C -l check -d 'health checks without VRRP (refused: LVS is not active yet)'
complete -c keepalived -s B -l no_bfd -d 'no BFD (no effect: BFD is not active yet)'
complete -c keepalived -l all -d 'start every process (no effect: vipd is one process)'
complete -c keepalived -s l -l log-console -d 'log to the standard error too'
complete -c keepalived -s D -l log-detail -d 'log more; twice: still more'
complete -c keepalived -l flush-log-file -d 'write each line to the log file at once (no effect: every line is written at once)'
complete -c keepalived -s G -l no-syslog -d 'do not log to syslog'
complete -c keepalived -s X -l release-vips -d 'remove addresses at a stop (no effect: addresses are removed at a stop anyway)'
complete -c keepalived -s V -l dont-release-vrrp -d 'leave addresses in place at a stop'
complete -c keepalived -s I -l dont-release-ipvs -d 'leave IPVS in place at a stop (no effect: LVS is not active yet)'
complete -c keepalived -s R -l dont-respawn -d 'end when a process ends (no effect: vipd is one process)'
complete -c keepalived -s n -l dont-fork -d 'stay in the foreground'
complete -c keepalived -s d -l dump-conf -d 'log the configuration, without its secrets'
complete -c keepalived -s T -l genhash -d 'print the MD5 sum of a web page (refused: LVS is not active yet)'
complete -c keepalived -s a -l address-monitoring -d 'log every change of an address'
complete -c keepalived -s x -l snmp -d 'serve SNMP (no effect: SNMP is not active yet)'
complete -c keepalived -s m -l core-dump -d 'write an image after a crash'
complete -c keepalived -s e -l all-config -d 'a file that an include does not find is an error'
complete -c keepalived -l ignore-sigint -d 'SIGINT does not stop'
complete -c keepalived -l no-mem-check -d 'debugging of memory (no effect: memory is checked by the compiler)'
complete -c keepalived -s L -l mem-check-log -d 'debugging of memory (no effect: memory is checked by the compiler)'
complete -c keepalived -s O -l openssl-mem-check -d 'debugging of memory (no effect: memory is checked by the compiler)'
complete -c keepalived -s v -l version -d 'print the version'
complete -c keepalived -s h -l help -d 'print this'
