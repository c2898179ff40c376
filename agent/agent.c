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
#include "opener.h"
#include "records.h"
#include "report.h"
#include "sampling.h"
#include "solo.h"
#include "watch_imds.h"

enum { DOUBT_MS = 300 };

static void look_again(void *ctx)
{
	struct agent *agent = ctx;

	opener_ask(agent->opener);
}

/*
 * While it is loaded anew there are moments at which an interface has one
 * program and the next one another: what was well is ill when it stays so.
 */
static void take_look(struct agent *agent, int64_t now)
{
	const struct source_files *files = &agent->source.files;
	unsigned int attached = sampling_attached(agent);
	bool active = agent->source.nat.config.active;
	bool ill = !active || attached < files->instance.link_count || files->proof;

	if (!ill || health_fault(&agent->health))
		agent->doubted_ms = 0;
	else if (!agent->doubted_ms)
		agent->doubted_ms = now;
	if (agent->doubted_ms && now - agent->doubted_ms < DOUBT_MS) {
		loop_timer_once(agent->look_timer, DOUBT_MS);
		return;
	}
	agent->doubted_ms = 0;
	agent->health.active = active;
	agent->health.links = files->instance.link_count;
	agent->health.attached = attached;
	proof_take(agent, now);
}

static int start_talkers(struct agent *agent)
{
	agent->talkers = talkers_new(agent->source.table.count);
	scan_set_talkers(agent->scan, agent->talkers);
	return agent->talkers ? 0 : -ENOMEM;
}

static void stop_talkers(struct agent *agent)
{
	scan_set_talkers(agent->scan, NULL);
	talkers_free(agent->talkers);
	agent->talkers = NULL;
}

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
	if (conf->talkers && start_talkers(agent))
		return err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
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
	stop_talkers(agent);
	watch_stop(agent->watch);
	agent->watch = NULL;
	cloud_stop(agent->cloud);
	agent->cloud = NULL;
}

int agent_start(struct agent *agent, struct err *err)
{
	agent->sample_timer = agent->scan_timer = agent->slice_timer = agent->link_timer =
		agent->watchdog = agent->look_timer = -1;
	snprintf(agent->zone, sizeof(agent->zone), "%s", agent->conf.zone);
	agent->ethtool = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	softirq_open(&agent->softirq);
	agent->look_timer = loop_timer(agent->loop, look_again, agent);
	if (agent->look_timer < 0)
		return err_set(err, STATUS_SYSTEM, EMFILE, "no timers: too many open files");
	proof_begin(agent);
	agent->scan = scan_new(&agent->source.table, &agent->source.probe_key);
	if (!agent->scan)
		return err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
	if (*agent->conf.http_listen) {
		agent->http = http_start(agent, err);
		if (!agent->http)
			return -EIO;
	}
	if (start_parts(agent, err))
		return -EIO;
	if (*agent->conf.ha.node)
		agent->ha = ha_start(agent, err);
	else
		agent->solo = solo_start(agent, err);
	return agent->ha || agent->solo ? 0 : -EIO;
}

void agent_stop(struct agent *agent)
{
	http_stop(agent->http);
	agent->http = NULL;
	ha_stop(agent->ha);
	agent->ha = NULL;
	solo_stop(agent->solo);
	agent->solo = NULL;
	if (agent->scan)
		stop_parts(agent);
	scan_free(agent->scan);
	loop_timer_free(agent->loop, agent->look_timer);
	softirq_close(&agent->softirq);
	if (agent->ethtool >= 0)
		close(agent->ethtool);
}

/* Whoever uses tables of the source lets go of them, and goes on with the others. */
static int follow_maps(struct agent *agent, struct source_files *files, struct err *err)
{
	int ret;

	if (agent->records)
		records_leave(agent->records);
	if (agent->ha)
		ha_let_go(agent->ha);
	stop_talkers(agent);
	ret = source_follow(&agent->source, files, err);
	sampling_follow(agent);
	if (!ret && agent->conf.talkers && start_talkers(agent))
		ret = err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
	if (!ret && agent->records)
		ret = records_follow(agent->records, err);
	if (!ret && agent->ha)
		ret = ha_follow(agent->ha, err);
	return ret;
}

void agent_follow(void *ctx, struct source_files *files)
{
	struct agent *agent = ctx;
	struct err err = { 0 };
	bool moved;
	int ret;

	if (files->ret && files->err.status == STATUS_NOT_LOADED) {
		log_note("the NAT was unloaded: ending, to begin anew with the next one");
		loop_stop(agent->loop);
		return;
	}
	if (files->ret) /* of another version: the one that is open is as good as it was */
		return;
	moved = source_has_moved(&agent->source, files);
	ret = moved ? follow_maps(agent, files, &err) : source_follow(&agent->source, files, &err);
	if (moved && !ret)
		log_note("the NAT has other tables now: going on with them");
	if (ret) {
		log_error("%s", err.text);
		agent->status = err.status; /* begin anew rather than count half */
		loop_stop(agent->loop);
		return;
	}
	take_look(agent, loop_monotonic_ms());
}

void agent_look_at_notices(struct agent *agent)
{
	agent->health.draining = agent->drain_asked ||
				 (agent->watch && watch_is_leaving(agent->watch, NOTICES));
}

void agent_ask_drain(struct agent *agent, bool on)
{
	agent->drain_asked = on;
	agent_look_at_notices(agent);
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
