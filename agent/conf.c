/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf_values.h"
#include "err.h"
#include "keys.h"

#define FIELD(member) offsetof(struct conf, member)

const struct setting conf_table[] = {
	{ "nat_id", &kind_name, FIELD(nat_id), "natxdp",
	  "name of the gateway that this node belongs to: dimension NatId of all metrics" },
	{ "zone", &kind_name_or_auto, FIELD(zone), "auto",
	  "dimension AvailabilityZone; auto asks the instance metadata service" },
	{ "pin_dir", &kind_path, FIELD(pin_dir), "/sys/fs/bpf/natxdp", "as in natxdp.conf" },
	{ "user", &kind_name_or_none, FIELD(user), "natxdp",
	  "user that the agent becomes when all is open; none: stay" },
	{ "interval", &kind_duration, FIELD(interval), "60", "how often metrics are published" },
	{ "sample", &kind_duration, FIELD(sample), "10",
	  "over what time peaks are averaged; interval is a multiple of it" },
	{ "scan", &kind_duration, FIELD(scan), "30",
	  "how often the flow table is walked for flows by state and port use" },
	{ "health_probe", &kind_duration, FIELD(health_probe), "10",
	  "for how long packets that went through both ways prove the data path; then a test "
	  "packet does" },
	{ "drain_quiet", &kind_duration, FIELD(drain_quiet), "15",
	  "a node without peers that drains is done when it had no flow for so long" },
	{ "drain_time", &kind_duration, FIELD(drain_time), "100",
	  "and after so long it gives up the flows that are left" },
	{ "http_listen", &kind_address, FIELD(http_listen), "127.0.0.1:9469",
	  "where /metrics, /healthz, /readyz and /status are; none: nowhere" },
	{ "http_cert", &kind_file, FIELD(http_cert), "none",
	  "certificate chain (PEM); with it, HTTPS instead of HTTP" },
	{ "http_key", &kind_file, FIELD(http_key), "none", "private key of http_cert (PEM)" },
	{ "cloudwatch_metrics", &kind_level, FIELD(metrics), "off",
	  "which metrics go to CloudWatch: off, basic or extended" },
	{ "metrics_queue", &kind_count, FIELD(metrics_queue), "180",
	  "intervals that are kept while CloudWatch cannot be reached" },
	{ "records", &kind_records, FIELD(records), "off",
	  "flow records: off, close, or all (a record when a flow opens, too)" },
	{ "record_sample", &kind_count, FIELD(record_sample), "1",
	  "records of one flow in so many" },
	{ "record_min_bytes", &kind_limit, FIELD(record_min_bytes), "0",
	  "no records of flows that end with fewer bytes" },
	{ "record_inside", &kind_prefixes, FIELD(record_inside), "none",
	  "records only of these inside addresses; none: of all" },
	{ "record_protocols", &kind_protocols, FIELD(record_protocols), "tcp, udp, icmp, other",
	  "records only of these protocols" },
	{ "record_file", &kind_file, FIELD(record_file), "none", "JSON lines to this file" },
	{ "record_file_size", &kind_bytes, FIELD(record_file_size), "64M",
	  "the file grows no larger: before, it is renamed to FILE.1, and FILE.1 to FILE.2" },
	{ "record_file_count", &kind_count, FIELD(record_file_count), "4", "files that are kept" },
	{ "record_logs", &kind_name_or_none, FIELD(record_logs), "none",
	  "JSON lines to this log group of CloudWatch Logs" },
	{ "record_ipfix", &kind_address, FIELD(record_ipfix), "none",
	  "IPFIX over UDP to this collector" },
	{ "talkers", &kind_limit, FIELD(talkers), "0",
	  "top talkers: so many inside addresses, destinations and ports each interval" },
	{ "talkers_logs", &kind_name_or_none, FIELD(talkers_logs), "none",
	  "top talkers as embedded metrics to this log group" },
	{ "aws_region", &kind_name_or_auto, FIELD(aws_region), "auto",
	  "auto: the environment, then the instance metadata service" },
	{ "aws_endpoint", &kind_url, FIELD(aws_endpoint), "auto",
	  "URL for all AWS calls instead of the public endpoints" },
	{ "aws_ca_file", &kind_file, FIELD(aws_ca_file), "none",
	  "certificates to trust instead of the system's" },
	{ "aws_timeout", &kind_duration, FIELD(aws_timeout), "30",
	  "how long a call may take with all its retries" },
	{ "imds", &kind_switch, FIELD(imds), "off",
	  "watch the instance metadata service: on on EC2" },
	{ "imds_interval", &kind_duration, FIELD(imds_interval), "5",
	  "how often it is asked for notices" },
	{ "imds_endpoint", &kind_url, FIELD(imds_endpoint), "auto", "its URL" },
	{ "ha_node", &kind_name_or_none, FIELD(ha.node), "none",
	  "name of this node among its peers; none: it has no peers, and of the ha_* keys only "
	  "ha_target_group, ha_lifecycle_hook and ha_group count" },
	{ "ha_nodes", &kind_ha_nodes, FIELD(ha.nodes), "none",
	  "all nodes: name, zone, ADDRESS:PORT of its agent, instance (auto: whichever has the "
	  "interface), interface" },
	{ "ha_mode", &kind_ha_mode, FIELD(ha.mode), "eip",
	  "eip: routes and elastic IPs move; eni: likewise, and targets of a load balancer; "
	  "gwlb: elastic IPs and targets" },
	{ "ha_routes", &kind_ha_routes, FIELD(ha.routes), "none",
	  "routes of the zones: zone, route table, destination" },
	{ "ha_addresses", &kind_ha_addresses, FIELD(ha.addresses), "none",
	  "elastic IPs of the zones: zone, allocation, and the private address on each node" },
	{ "ha_lease_table", &kind_name_or_none, FIELD(ha.lease_table), "none",
	  "DynamoDB table that says who owns which zone; its key is the string az" },
	{ "ha_key_file", &kind_file, FIELD(ha.key_file), "none",
	  "the secret that the nodes share: 64 hexadecimal digits" },
	{ "ha_key_parameter", &kind_name_or_none, FIELD(ha.key_parameter), "none",
	  "the same, from a parameter of Systems Manager" },
	{ "ha_heartbeat", &kind_duration, FIELD(ha.heartbeat), "0.2",
	  "how often nodes tell each other that they live" },
	{ "ha_suspicion", &kind_count, FIELD(ha.suspicion), "5",
	  "heartbeats that must not come before a node is looked at more closely" },
	{ "ha_damping", &kind_duration, FIELD(ha.damping), "300",
	  "a zone goes home when its node was well, and the zone at rest, for so long" },
	{ "ha_failback", &kind_switch, FIELD(ha.failback), "on", "zones go home by themselves" },
	{ "ha_stop", &kind_ha_stop, FIELD(ha.stop), "stay",
	  "SIGTERM: stay the owner, the data plane goes on; or hand over first" },
	{ "ha_budget", &kind_duration, FIELD(ha.budget), "30",
	  "how long routes and addresses of a zone may take to move before that has failed" },
	{ "ha_target_group", &kind_name_or_none, FIELD(ha.target_group), "none",
	  "ARN of the target group in which a node is unless it drains" },
	{ "ha_listener", &kind_name_or_none, FIELD(ha.listener), "none",
	  "ARN of the listener that weighs the zones, in mode eni: a zone that no node of its own "
	  "serves gets weight 0, else 100" },
	{ "ha_target_groups", &kind_ha_groups, FIELD(ha.groups), "none",
	  "target groups that the listener weighs: zone, ARN" },
	{ "ha_lifecycle_hook", &kind_name_or_none, FIELD(ha.lifecycle_hook), "none",
	  "termination hook that is completed when a node has handed over or is drained" },
	{ "ha_group", &kind_name_or_none, FIELD(ha.group), "none",
	  "Auto Scaling group of that hook" },
	{ NULL, NULL, 0, NULL, NULL },
};

static struct keys keys_of(struct conf *conf)
{
	struct keys keys = {
		.table = conf_table,
		.fields = conf,
		.size = sizeof(*conf),
		.given = &conf->given,
		.manual = "natxdpd.conf(5)",
	};

	return keys;
}

void conf_init(struct conf *conf)
{
	struct keys keys = keys_of(conf);

	keys_init(&keys);
}

int conf_read(struct conf *conf, const char *path, struct err *err)
{
	struct keys keys = keys_of(conf);

	return keys_read(&keys, path, NULL, err);
}

void conf_print(const struct conf *conf, FILE *out)
{
	struct conf copy = *conf;
	struct keys keys = keys_of(&copy);

	keys_print(&keys, out);
}

bool conf_uses_aws(const struct conf *conf)
{
	return conf->metrics != LEVEL_OFF || *conf->record_logs || *conf->talkers_logs;
}

static int check_metrics(const struct conf *conf, struct err *err)
{
	if (conf->interval % conf->sample)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "interval: not a multiple of sample: 60 and 10 are what the AWS NAT "
			       "gateway has");
	if (conf->metrics != LEVEL_OFF && !conf->imds && !*conf->zone)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "zone: auto needs imds = on: switch it on or give the zone");
	return 0;
}

static int check_records(const struct conf *conf, struct err *err)
{
	bool sink = *conf->record_file || *conf->record_logs || *conf->record_ipfix;

	if (conf->records != RECORDS_OFF && !sink)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "records: nowhere to write them: give record_file, record_logs or "
			       "record_ipfix");
	if (conf->records == RECORDS_OFF && sink)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "records: off, but there is a record_file, record_logs or "
			       "record_ipfix: set records = close or all");
	return 0;
}

/* Of a node without peers: with them, members_resolve() knows more. */
static int check_solo(const struct conf *conf, struct err *err)
{
	if (*conf->ha.lifecycle_hook && !*conf->ha.group)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "ha_lifecycle_hook: also give ha_group, the Auto Scaling group");
	if ((*conf->ha.lifecycle_hook || *conf->ha.target_group) && !conf->imds)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "ha_target_group, ha_lifecycle_hook: the metadata service says which "
			       "instance this is: set imds = on");
	return 0;
}

int conf_check(const struct conf *conf, struct err *err)
{
	struct members members;
	int ret;

	if (!*conf->http_cert != !*conf->http_key)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "http_cert and http_key: one without the other");
	if (*conf->talkers_logs && !conf->talkers)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "talkers_logs: talkers is 0: say how many, for example 10");
	ret = check_metrics(conf, err);
	if (!ret)
		ret = check_records(conf, err);
	if (!ret)
		ret = *conf->ha.node ? members_resolve(&members, &conf->ha, err) :
				       check_solo(conf, err);
	return ret;
}
