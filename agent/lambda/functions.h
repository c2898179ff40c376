/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The functions. Each decides and acts by itself, may be called twice with the
 * same event, and returns 0 or -errno after job_fail(); what it has to say
 * goes to job->answer and, line by line, to say().
 */
#ifndef NATXDP_LAMBDA_FUNCTIONS_H
#define NATXDP_LAMBDA_FUNCTIONS_H

struct job;

/* name of the handler, function of C */
#define LAMBDA_FUNCTIONS(X)                        \
	X("nat-health-probe", fn_health_probe)     \
	X("nat-route-failover", fn_route_failover) \
	X("asg-lifecycle-handler", fn_lifecycle)   \
	X("eip-recover", fn_eip_recover)           \
	X("config-guard", fn_config_guard)         \
	X("nat-probe-runner", fn_probe_runner)     \
	X("nat-janitor", fn_janitor)               \
	X("nat-isolate", fn_isolate)

#define X(name, function) int function(struct job *job);
LAMBDA_FUNCTIONS(X)
#undef X

#endif
