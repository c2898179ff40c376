/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent.h"
#include "drain.h"
#include "err.h"
#include "ha/ha.h"
#include "log.h"
#include "notify.h"
#include "opener.h"
#include "privilege.h"
#include "sandbox.h"
#include "version.h"

struct arguments {
	const char *conf;
	bool check;
	bool syslog;
	bool drain, undo;
	unsigned int patience; /* s */
};

static const struct argp_option options[] = {
	{ "config", 'c', "FILE", 0, "read FILE instead of " CONF_FILE, 0 },
	{ "check", 'n', NULL, 0, "check the configuration, print it, and end", 0 },
	{ "syslog", 's', NULL, 0, "write messages to syslog, not to stderr", 0 },
	{ "undo", 'u', NULL, 0, "drain: take it back", 1 },
	{ "timeout", 't', "SECONDS", 0, "drain: wait for so long (120)", 1 },
	{ 0 },
};

const char *argp_program_version = "natxdpd " NATXDP_VERSION;

static const char doc[] =
	"The agent of natxdp: metrics, flow records and health of a NAT that 'natxdp load' has "
	"loaded. It runs until it is told to stop (SIGTERM), reads its configuration again on "
	"SIGHUP, and ends when the NAT is unloaded. See natxdpd(8) and natxdpd.conf(5).\n"
	"\n"
	"drain: asks the agent that runs here to hand its zones over to its peers, and waits until "
	"that is done. Without peers, as behind a load balancer: to take nothing new, and to serve "
	"the flows that there are until they end.";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	char *end;

	switch (key) {
	case 'c':
		arguments->conf = arg;
		return 0;
	case 'n':
		arguments->check = true;
		return 0;
	case 's':
		arguments->syslog = true;
		return 0;
	case 'u':
		arguments->undo = true;
		return 0;
	case 't':
		arguments->patience = strtoul(arg, &end, 10);
		if (*end || !arguments->patience || arguments->patience > 86400)
			argp_error(state, "--timeout %s: give 1 to 86400 seconds", arg);
		return 0;
	case ARGP_KEY_ARG:
		if (strcmp(arg, "drain") || state->arg_num)
			argp_error(state, "%s: the only command is drain", arg);
		arguments->drain = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int read_conf(struct conf *conf, const struct arguments *arguments, struct err *err)
{
	const char *path = arguments->conf ? arguments->conf : CONF_FILE;
	int ret = 0;

	conf_init(conf);
	/* without a file of that name the defaults are as good as any */
	if (arguments->conf || !access(path, F_OK))
		ret = conf_read(conf, path, err);
	return ret ? ret : conf_check(conf, err);
}

static void on_signal(void *ctx, int fd, uint32_t events)
{
	struct signalfd_siginfo info;
	struct agent *agent = ctx;

	(void)events;
	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP) {
		agent_reload(agent);
	} else if (agent->ha && agent->conf.ha.stop == HA_STOP_HAND_OVER && !agent->leaving) {
		agent->leaving = true; /* told again, it ends at once */
		notify_send("STOPPING=1\nSTATUS=handing over");
		ha_leave(agent->ha);
	} else {
		loop_stop(agent->loop);
	}
}

static int watch_signals(struct agent *agent)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0 || loop_watch(agent->loop, fd, EPOLLIN, on_signal, agent))
		return -1;
	return fd;
}

/* While there are rights for it. */
static int open_source(struct agent *agent, struct err *err)
{
	struct source_files files;

	source_open_files(&files, agent->conf.pin_dir, false);
	return source_open(&agent->source, &files, err);
}

static void try_open(void *ctx)
{
	struct agent *agent = ctx;
	struct err err = { 0 };

	if (!open_source(agent, &err) || err.status != STATUS_NOT_LOADED)
		loop_stop(agent->loop);
}

/* There may be no NAT yet. Returns 0, or -errno; -EINTR if it was told to stop. */
static int wait_for_nat(struct agent *agent, struct err *err)
{
	int ret = open_source(agent, err), timer;

	if (!ret || err->status != STATUS_NOT_LOADED)
		return ret;
	log_note("%s: no NAT is loaded yet: waiting for one", agent->conf.pin_dir);
	notify_send("READY=1\nSTATUS=waiting for 'natxdp load'");
	timer = loop_timer(agent->loop, try_open, agent);
	if (timer < 0)
		return err_set(err, STATUS_SYSTEM, -timer, "no timers: too many open files");
	loop_timer_every(timer, 1000);
	loop_run(agent->loop);
	loop_timer_free(agent->loop, timer);
	err->status = STATUS_OK;
	*err->text = '\0';
	if (agent->source.keep)
		return 0;
	/* told to stop, or something else is wrong there: that is said now */
	ret = open_source(agent, err);
	if (ret && err->status == STATUS_NOT_LOADED) {
		err->status = STATUS_OK;
		*err->text = '\0';
		return -EINTR;
	}
	return ret;
}

static int run(struct agent *agent, struct err *err)
{
	int ret;

	/* first, so that it inherits nothing */
	agent->opener = opener_start(agent->loop, agent->conf.pin_dir, agent_follow, agent, err);
	if (!agent->opener)
		return -EIO;
	ret = wait_for_nat(agent, err);
	if (ret)
		goto end;
	ret = agent_start(agent, err);
	/* after all is open: files, sockets, maps */
	if (!ret)
		ret = sandbox_enter(agent->conf.user, err);
	if (!ret) {
		log_note("following %s", agent->conf.pin_dir);
		notify_send("READY=1\nSTATUS=running");
		ret = loop_run(agent->loop);
		if (ret)
			err_set(err, STATUS_SYSTEM, ret, "event loop: %s", strerror(-ret));
		notify_send("STOPPING=1");
	}
	agent_stop(agent);
	source_close(&agent->source);
end:
	opener_stop(agent->opener);
	return ret;
}

static void serve(const struct arguments *arguments, struct agent *agent, struct err *err)
{
	int signals;

	if (privilege_check(err))
		return;
	agent->conf_path = arguments->conf ? arguments->conf : CONF_FILE;
	agent->loop = loop_new();
	signals = agent->loop ? watch_signals(agent) : -1;
	if (signals < 0) {
		err_set(err, STATUS_SYSTEM, errno, "event loop: %s", strerror(errno));
	} else {
		notify_init();
		run(agent, err);
		close(signals);
	}
	loop_free(agent->loop);
	if (!err->status)
		err->status = agent->status;
}

int main(int argc, char **argv)
{
	const struct argp argp = { options, parse, "\ndrain", doc, NULL, NULL, NULL };
	struct arguments arguments = { .patience = 120 };
	static struct agent agent;
	struct err err = { 0 };

	argp_err_exit_status = STATUS_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	log_init(false);
	if (arguments.syslog)
		log_to_syslog();
	if (!read_conf(&agent.conf, &arguments, &err)) {
		if (arguments.check)
			conf_print(&agent.conf, stdout);
		else if (arguments.drain)
			drain_run(agent.conf.pin_dir, arguments.undo, arguments.patience, &err);
		else
			serve(&arguments, &agent, &err);
	}
	if (*err.text)
		log_error("%s", err.text);
	return err.status;
}
