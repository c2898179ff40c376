/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "agent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cloud.h"
#include "err.h"
#include "ha/ha.h"
#include "http.h"
#include "log.h"
#include "notify.h"
#include "records.h"
#include "report.h"
#include "sampling.h"
#include "watch_imds.h"

/* What may change while it runs. The client comes first and goes last. */
static int start_parts(struct agent *agent, struct err *err)
{
	const struct conf *conf = &agent->conf;

	if (conf_uses_aws(conf) || conf->imds) {
		agent->cloud = cloud_start(agent, err);
		if (!agent->cloud)
			return -EIO;
	}
	if (conf->imds) {
		agent->watch = watch_start(agent);
		if (!agent->watch)
			return err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
	}
	if (conf->talkers) {
		agent->talkers = talkers_new(agent->source.table.count);
		if (!agent->talkers)
			return err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
		scan_set_talkers(agent->scan, agent->talkers);
	}
	if (*conf->talkers_logs) {
		agent->report = report_start(agent);
		if (!agent->report)
			return err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
	}
	if (conf->records != RECORDS_OFF) {
		agent->records = records_start(agent, err);
		if (!agent->records)
			return -EIO;
	}
	return sampling_start(agent) ?
		       err_set(err, STATUS_SYSTEM, EMFILE, "no timers: too many open files") :
		       0;
}

static void stop_parts(struct agent *agent)
{
	sampling_stop(agent);
	records_stop(agent->records);
	agent->records = NULL;
	report_stop(agent->report);
	agent->report = NULL;
	scan_set_talkers(agent->scan, NULL);
	talkers_free(agent->talkers);
	agent->talkers = NULL;
	watch_stop(agent->watch);
	agent->watch = NULL;
	cloud_stop(agent->cloud);
	agent->cloud = NULL;
}

int agent_start(struct agent *agent, struct err *err)
{
	agent->sample_timer = agent->scan_timer = agent->slice_timer = agent->watchdog = -1;
	snprintf(agent->zone, sizeof(agent->zone), "%s", agent->conf.zone);
	agent->ethtool = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	softirq_open(&agent->softirq);
	agent->scan = scan_new(&agent->source.table);
	if (!agent->scan)
		return err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
	if (*agent->conf.http_listen) {
		agent->http = http_start(agent, err);
		if (!agent->http)
			return -EIO;
	}
	if (start_parts(agent, err))
		return -EIO;
	if (*agent->conf.ha.node) {
		agent->ha = ha_start(agent, err);
		if (!agent->ha)
			return -EIO;
	}
	return 0;
}

void agent_stop(struct agent *agent)
{
	http_stop(agent->http);
	agent->http = NULL;
	ha_stop(agent->ha);
	agent->ha = NULL;
	if (agent->scan)
		stop_parts(agent);
	scan_free(agent->scan);
	softirq_close(&agent->softirq);
	if (agent->ethtool >= 0)
		close(agent->ethtool);
}

/* Of rights that the agent has no more, or of what others rely on. */
static bool is_fixed(const struct conf *a, const struct conf *b)
{
	return strcmp(a->pin_dir, b->pin_dir) || strcmp(a->user, b->user) ||
	       strcmp(a->http_listen, b->http_listen) || strcmp(a->http_cert, b->http_cert) ||
	       strcmp(a->http_key, b->http_key) || memcmp(&a->ha, &b->ha, sizeof(a->ha));
}

void agent_reload(struct agent *agent)
{
	struct conf conf, old = agent->conf;
	struct err err = { 0 };

	notify_send("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)loop_monotonic_ms() * 1000);
	conf_init(&conf);
	if (conf_read(&conf, agent->conf_path, &err) || conf_check(&conf, &err)) {
		log_error("%s: the configuration stays as it was", err.text);
	} else if (is_fixed(&conf, &old)) {
		log_error(
			"pin_dir, user, http_* and ha_* need a restart: the configuration stays as it was");
	} else {
		stop_parts(agent);
		agent->conf = conf;
		if (start_parts(agent, &err)) {
			log_error("%s: the configuration stays as it was", err.text);
			stop_parts(agent);
			agent->conf = old;
			if (start_parts(agent, &err)) {
				log_error("%s", err.text);
				agent->status = err.status;
				loop_stop(agent->loop);
			}
		} else {
			log_note("configuration read again");
		}
	}
	notify_send("READY=1");
}
