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
	  "when the file is this large it is renamed to FILE.1, and FILE.1 to FILE.2" },
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

int conf_check(const struct conf *conf, struct err *err)
{
	int ret;

	if (!*conf->http_cert != !*conf->http_key)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "http_cert and http_key: one without the other");
	if (*conf->talkers_logs && !conf->talkers)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "talkers_logs: talkers is 0: say how many, for example 10");
	ret = check_metrics(conf, err);
	return ret ? ret : check_records(conf, err);
}
