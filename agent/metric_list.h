/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Every metric that natxdp publishes, in the CloudWatch namespace NATXDP. This
 * list is the only one: what the agent and the Lambda functions send, what
 * /metrics shows, what dashboards and alarms may name, and the manual.
 *
 * METRIC(enumerator, name, unit, kind, dimensions, level, publisher, prometheus, text)
 *
 * unit        COUNT, BYTES, PERCENT, MILLISECONDS, BITS_PER_SECOND or NONE
 * kind        GAUGE  a state, read at each sample; Maximum or Average is meant
 *             SUM    what happened in the interval; Sum is meant
 *             PEAK   the highest sample of the interval; Maximum is meant
 * dimensions  NAT       NatId, AvailabilityZone
 *             ADDRESS   those and Address, an external address
 *             REASON    those and Reason, a name of include/natxdp/reasons.h
 *             PROTOCOL  those and Protocol: tcp, udp, icmp, other
 *             STATE     those, Protocol and State, a name of include/natxdp/state.h
 *             ENDPOINT  those and Endpoint, of a Gateway Load Balancer (mode gwlb)
 * level       BASIC     sent to CloudWatch by default
 *             EXTENDED  sent with cloudwatch_metrics = extended; each set of
 *                       dimensions is billed as a metric of its own
 *             LOCAL     in /metrics only: of endpoints CloudWatch has nearly the same
 *                       from AWS, at no cost (AWS/PrivateLinkEndpoints)
 * publisher   AGENT, HA (the agent of a node with peers), LAMBDA
 * prometheus  its name in /metrics, "" where the agent does not know it; sums
 *             count from the load of the NAT on there
 *
 * The first sixteen have the names, units and meanings of AWS/NATGateway
 * (VPC User Guide, "Monitor NAT gateways with Amazon CloudWatch").
 */
#ifndef NATXDP_METRIC_LIST_H
#define NATXDP_METRIC_LIST_H

#define METRIC_NAMESPACE "NATXDP"

/* clang-format off */
#define NATXDP_METRICS(METRIC)                                                                  \
	METRIC(ACTIVE_CONNECTIONS, "ActiveConnectionCount", COUNT, GAUGE, NAT, BASIC, AGENT,    \
	       "natxdp_active_connections",                                                     \
	       "TCP connections that are established and not yet closed by both sides")         \
	METRIC(BYTES_IN_FROM_SOURCE, "BytesInFromSource", BYTES, SUM, NAT, BASIC, AGENT,        \
	       "natxdp_bytes_in_from_source_total", "IP bytes that inside hosts sent")          \
	METRIC(BYTES_OUT_TO_DESTINATION, "BytesOutToDestination", BYTES, SUM, NAT, BASIC, AGENT, \
	       "natxdp_bytes_out_to_destination_total", "IP bytes sent on to the outside")      \
	METRIC(BYTES_IN_FROM_DESTINATION, "BytesInFromDestination", BYTES, SUM, NAT, BASIC, AGENT, \
	       "natxdp_bytes_in_from_destination_total", "IP bytes that came from the outside") \
	METRIC(BYTES_OUT_TO_SOURCE, "BytesOutToSource", BYTES, SUM, NAT, BASIC, AGENT,          \
	       "natxdp_bytes_out_to_source_total", "IP bytes sent back to inside hosts")        \
	METRIC(PACKETS_IN_FROM_SOURCE, "PacketsInFromSource", COUNT, SUM, NAT, BASIC, AGENT,    \
	       "natxdp_packets_in_from_source_total", "packets that inside hosts sent")         \
	METRIC(PACKETS_OUT_TO_DESTINATION, "PacketsOutToDestination", COUNT, SUM, NAT, BASIC, AGENT, \
	       "natxdp_packets_out_to_destination_total", "packets sent on to the outside")     \
	METRIC(PACKETS_IN_FROM_DESTINATION, "PacketsInFromDestination", COUNT, SUM, NAT, BASIC, AGENT, \
	       "natxdp_packets_in_from_destination_total", "packets that came from the outside") \
	METRIC(PACKETS_OUT_TO_SOURCE, "PacketsOutToSource", COUNT, SUM, NAT, BASIC, AGENT,      \
	       "natxdp_packets_out_to_source_total", "packets sent back to inside hosts")       \
	METRIC(CONNECTION_ATTEMPTS, "ConnectionAttemptCount", COUNT, SUM, NAT, BASIC, AGENT,    \
	       "natxdp_connection_attempts_total",                                              \
	       "TCP connections that were begun and got a port; a repeated SYN is the same attempt") \
	METRIC(CONNECTIONS_ESTABLISHED, "ConnectionEstablishedCount", COUNT, SUM, NAT, BASIC, AGENT, \
	       "natxdp_connections_established_total", "TCP handshakes that were completed")    \
	METRIC(PORT_ALLOCATION_ERRORS, "ErrorPortAllocation", COUNT, SUM, NAT, BASIC, AGENT,    \
	       "natxdp_port_allocation_errors_total",                                           \
	       "packets that opened no flow because no external port was left for the destination") \
	METRIC(IDLE_TIMEOUTS, "IdleTimeoutCount", COUNT, SUM, NAT, BASIC, AGENT,                \
	       "natxdp_idle_timeouts_total",                                                    \
	       "established TCP connections that were forgotten because they were idle, not closed") \
	METRIC(PACKETS_DROPPED, "PacketsDropCount", COUNT, SUM, NAT, BASIC, AGENT,              \
	       "natxdp_packets_dropped_total",                                                  \
	       "packets that the NAT should have forwarded and could not; what it must refuse is in " \
	       "ReasonPacketCount only")                                                        \
	METRIC(PEAK_BYTES_PER_SECOND, "PeakBytesPerSecond", NONE, PEAK, NAT, BASIC, AGENT,      \
	       "natxdp_peak_bytes_per_second",                                                  \
	       "highest average over 10 s of the IP bytes that came, from both sides")          \
	METRIC(PEAK_PACKETS_PER_SECOND, "PeakPacketsPerSecond", COUNT, PEAK, NAT, BASIC, AGENT, \
	       "natxdp_peak_packets_per_second",                                                \
	       "highest average over 10 s of the packets that came, from both sides")           \
	METRIC(FLOWS, "FlowCount", COUNT, GAUGE, NAT, BASIC, AGENT,                             \
	       "natxdp_flows", "flows in the table, of all protocols and states")               \
	METRIC(FLOW_TABLE_USE, "FlowTableUse", PERCENT, GAUGE, NAT, BASIC, AGENT,               \
	       "natxdp_flow_table_use_percent", "flows as a share of max_flows")                \
	METRIC(PORT_USE, "PortUse", PERCENT, GAUGE, NAT, BASIC, AGENT,                          \
	       "natxdp_port_use_percent",                                                       \
	       "external ports that the busiest destination takes, on the address where it takes most") \
	METRIC(NEW_FLOWS, "NewFlowCount", COUNT, SUM, NAT, BASIC, AGENT,                        \
	       "natxdp_flows_opened_total", "flows opened, of all protocols")                   \
	METRIC(PEAK_NEW_FLOWS_PER_SECOND, "PeakNewFlowsPerSecond", COUNT, PEAK, NAT, BASIC, AGENT, \
	       "natxdp_peak_new_flows_per_second", "highest average over 10 s of the flows opened") \
	METRIC(SOFTIRQ, "SoftirqUse", PERCENT, GAUGE, NAT, BASIC, AGENT,                        \
	       "natxdp_softirq_use_percent",                                                    \
	       "share of its time that a CPU spent in soft interrupts, where packets are handled; one " \
	       "value a CPU, so that Maximum is the busiest one")                               \
	METRIC(ALLOWANCE_BW_IN, "BandwidthInAllowanceExceeded", COUNT, SUM, NAT, BASIC, AGENT,  \
	       "natxdp_bw_in_allowance_exceeded_total",                                         \
	       "packets queued or dropped by EC2: inbound bandwidth of the instance")           \
	METRIC(ALLOWANCE_BW_OUT, "BandwidthOutAllowanceExceeded", COUNT, SUM, NAT, BASIC, AGENT, \
	       "natxdp_bw_out_allowance_exceeded_total",                                        \
	       "packets queued or dropped by EC2: outbound bandwidth of the instance")          \
	METRIC(ALLOWANCE_PPS, "PpsAllowanceExceeded", COUNT, SUM, NAT, BASIC, AGENT,            \
	       "natxdp_pps_allowance_exceeded_total",                                           \
	       "packets queued or dropped by EC2: packets per second of the instance")          \
	METRIC(ALLOWANCE_CONNTRACK, "ConntrackAllowanceExceeded", COUNT, SUM, NAT, BASIC, AGENT, \
	       "natxdp_conntrack_allowance_exceeded_total",                                     \
	       "packets dropped by EC2: tracked connections of the instance")                   \
	METRIC(ALLOWANCE_LINKLOCAL, "LinklocalAllowanceExceeded", COUNT, SUM, NAT, BASIC, AGENT, \
	       "natxdp_linklocal_allowance_exceeded_total",                                     \
	       "packets dropped by EC2: to the DNS resolver, the metadata and the time service") \
	METRIC(HEALTHY, "NodeHealthy", NONE, GAUGE, NAT, BASIC, AGENT,                          \
	       "natxdp_healthy", "1 while /healthz answers 200, else 0; Minimum is meant")      \
	METRIC(ADDRESS_PORT_USE, "AddressPortUse", PERCENT, GAUGE, ADDRESS, EXTENDED, AGENT,    \
	       "natxdp_address_port_use_percent",                                               \
	       "external ports of an address that its busiest destination takes")               \
	METRIC(ADDRESS_FLOWS, "AddressFlowCount", COUNT, GAUGE, ADDRESS, EXTENDED, AGENT,       \
	       "natxdp_address_flows", "flows of an external address")                          \
	METRIC(REASON_PACKETS, "ReasonPacketCount", COUNT, SUM, REASON, EXTENDED, AGENT,        \
	       "natxdp_reason_packets_total", "packets by what became of them")                 \
	METRIC(REASON_BYTES, "ReasonBytes", BYTES, SUM, REASON, EXTENDED, AGENT,                \
	       "natxdp_reason_bytes_total", "bytes by what became of them")                     \
	METRIC(PROTOCOL_FLOWS, "ProtocolFlowCount", COUNT, GAUGE, PROTOCOL, EXTENDED, AGENT,    \
	       "natxdp_protocol_flows", "flows of a protocol")                                  \
	METRIC(STATE_FLOWS, "StateFlowCount", COUNT, GAUGE, STATE, EXTENDED, AGENT,             \
	       "natxdp_state_flows", "flows of a protocol in a state")                          \
	METRIC(CONNTRACK_AVAILABLE, "ConntrackAllowanceAvailable", COUNT, GAUGE, NAT, EXTENDED, AGENT, \
	       "natxdp_conntrack_allowance_available",                                          \
	       "connections that EC2 would still track for the instance")                       \
	METRIC(FLOW_RECORDS, "FlowRecordCount", COUNT, SUM, NAT, EXTENDED, AGENT,               \
	       "natxdp_flow_records_total", "flow records written to a sink")                   \
	METRIC(FLOW_RECORDS_LOST, "FlowRecordLostCount", COUNT, SUM, NAT, BASIC, AGENT,         \
	       "natxdp_flow_records_lost_total",                                                \
	       "flow records that did not reach a sink, wherever they were lost")               \
	METRIC(METRIC_DATA_LOST, "MetricDataLostCount", COUNT, SUM, NAT, BASIC, AGENT,          \
	       "natxdp_metric_data_lost_total",                                                 \
	       "values that never reached CloudWatch: too old, refused, or no room in the queue") \
	METRIC(API_ERRORS, "ApiErrorCount", COUNT, SUM, NAT, EXTENDED, AGENT,                   \
	       "natxdp_aws_call_errors_total", "AWS calls that failed after all their retries") \
	METRIC(AGENT_STARTS, "AgentStartCount", COUNT, SUM, NAT, EXTENDED, AGENT,               \
	       "natxdp_agent_starts_total", "starts of natxdpd since the NAT was loaded")       \
	METRIC(FAILOVERS, "FailoverCount", COUNT, SUM, NAT, BASIC, HA,                          \
	       "natxdp_failovers_total", "take-overs of a zone from a node that failed")        \
	METRIC(FAILOVER_DURATION, "FailoverDurationMs", MILLISECONDS, PEAK, NAT, BASIC, HA,     \
	       "natxdp_failover_duration_milliseconds",                                         \
	       "from the suspicion to the last verified route and address of a take-over")      \
	METRIC(FAILOVER_ERRORS, "FailoverErrorCount", COUNT, SUM, NAT, BASIC, HA,               \
	       "natxdp_failover_errors_total", "steps of a take-over that failed for good")     \
	METRIC(HANDOVERS, "HandoverCount", COUNT, SUM, NAT, BASIC, HA,                          \
	       "natxdp_handovers_total", "planned moves of a zone to another node")             \
	METRIC(SYNC_LAG_FLOWS, "SyncLagFlows", COUNT, GAUGE, NAT, BASIC, HA,                    \
	       "natxdp_sync_lag_flows", "flow changes that the slowest peer has not confirmed") \
	METRIC(SYNC_LAG, "SyncLagMs", MILLISECONDS, GAUGE, NAT, BASIC, HA,                      \
	       "natxdp_sync_lag_milliseconds", "age of the oldest flow change that is not confirmed") \
	METRIC(SYNC_PEERS, "SyncPeerCount", COUNT, GAUGE, NAT, BASIC, HA,                       \
	       "natxdp_sync_peers", "peers that hold a full and current copy of our flows")     \
	METRIC(SYNC_FLOWS_SENT, "SyncFlowsSent", COUNT, SUM, NAT, EXTENDED, HA,                 \
	       "natxdp_sync_flows_sent_total", "flow changes sent to peers")                    \
	METRIC(SYNC_FLOWS_RECEIVED, "SyncFlowsReceived", COUNT, SUM, NAT, EXTENDED, HA,         \
	       "natxdp_sync_flows_received_total", "flow changes of peers taken over")          \
	METRIC(SYNC_BYTES_SENT, "SyncBytesSent", BYTES, SUM, NAT, EXTENDED, HA,                 \
	       "natxdp_sync_bytes_sent_total", "bytes of replication sent to peers")            \
	METRIC(HEARTBEATS_MISSED, "HeartbeatMissCount", COUNT, SUM, NAT, EXTENDED, HA,          \
	       "natxdp_heartbeats_missed_total", "heartbeats of peers that did not come")       \
	METRIC(OWNED_ZONES, "OwnedZoneCount", COUNT, GAUGE, NAT, BASIC, HA,                     \
	       "natxdp_owned_zones", "zones whose lease this node holds: 1 when all is well")   \
	METRIC(REACHABILITY, "NATReachability", PERCENT, GAUGE, NAT, BASIC, LAMBDA, "",         \
	       "probe targets that were reached through the node; Minimum is meant")            \
	METRIC(LATENCY, "Latency", MILLISECONDS, GAUGE, NAT, BASIC, LAMBDA, "",                 \
	       "time to reach a probe target through the node")                                 \
	METRIC(PROBE_SUCCESS, "ProbeSuccess", PERCENT, GAUGE, NAT, BASIC, LAMBDA, "",           \
	       "synthetic transfers from probe instances that succeeded")                       \
	METRIC(PROBE_LATENCY, "ProbeLatency", MILLISECONDS, GAUGE, NAT, BASIC, LAMBDA, "",      \
	       "time of a synthetic request from a probe instance")                             \
	METRIC(PROBE_THROUGHPUT, "ProbeThroughput", BITS_PER_SECOND, GAUGE, NAT, BASIC, LAMBDA, "", \
	       "throughput of a synthetic transfer from a probe instance")                      \
	METRIC(ROUTE_FAILOVERS, "RouteFailoverCount", COUNT, SUM, NAT, BASIC, LAMBDA, "",       \
	       "take-overs that nat-route-failover carried out")                                \
	METRIC(EIPS_RECOVERED, "EipRecoverCount", COUNT, SUM, NAT, BASIC, LAMBDA, "",           \
	       "Elastic IP addresses that eip-recover associated again")                        \
	METRIC(CONFIG_DRIFT, "ConfigDriftCount", COUNT, GAUGE, NAT, BASIC, LAMBDA, "",          \
	       "differences from the wanted configuration that config-guard found")             \
	METRIC(LIFECYCLE_FAILURES, "LifecycleFailureCount", COUNT, SUM, NAT, BASIC, LAMBDA, "", \
	       "launches and terminations that asg-lifecycle-handler had to abandon")           \
	METRIC(JANITOR_REMOVED, "JanitorRemovedCount", COUNT, SUM, NAT, BASIC, LAMBDA, "",      \
	       "left-over resources that nat-janitor removed")                                  \
	METRIC(ISOLATED_ADDRESSES, "IsolatedAddressCount", COUNT, GAUGE, NAT, BASIC, LAMBDA, "", \
	       "inside addresses that nat-isolate has blocked")                                 \
	METRIC(FUNCTION_ERRORS, "FunctionErrorCount", COUNT, SUM, NAT, BASIC, LAMBDA, "",       \
	       "runs of a function of the control plane that ended with an error")              \
	METRIC(ENDPOINT_PACKETS_FROM, "EndpointPacketsFrom", COUNT, SUM, ENDPOINT, LOCAL, AGENT, \
	       "natxdp_endpoint_packets_from_total",                                            \
	       "packets that came from an endpoint, without the load balancer's headers")       \
	METRIC(ENDPOINT_BYTES_FROM, "EndpointBytesFrom", BYTES, SUM, ENDPOINT, LOCAL, AGENT,    \
	       "natxdp_endpoint_bytes_from_total", "IP bytes of these packets")                 \
	METRIC(ENDPOINT_PACKETS_TO, "EndpointPacketsTo", COUNT, SUM, ENDPOINT, LOCAL, AGENT,    \
	       "natxdp_endpoint_packets_to_total", "packets that were sent to an endpoint")     \
	METRIC(ENDPOINT_BYTES_TO, "EndpointBytesTo", BYTES, SUM, ENDPOINT, LOCAL, AGENT,        \
	       "natxdp_endpoint_bytes_to_total", "IP bytes of these packets")                   \
	METRIC(ENDPOINT_FLOWS_OPENED, "EndpointNewFlowCount", COUNT, SUM, ENDPOINT, LOCAL, AGENT, \
	       "natxdp_endpoint_flows_opened_total", "flows opened from an endpoint")

enum metric {
#define METRIC(id, name, unit, kind, dims, level, publisher, prom, text) METRIC_##id,
	NATXDP_METRICS(METRIC)
#undef METRIC
	METRIC_COUNT,
};
/* clang-format on */

#endif
