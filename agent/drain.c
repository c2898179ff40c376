/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "drain.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "err.h"

enum { LOOK_MS = 200 };

static const char *text_of(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return text ? text : "nobody";
}

static const cJSON *status_of(const cJSON *reply)
{
	return cJSON_GetObjectItemCaseSensitive(reply, "status");
}

static bool is_drained(const cJSON *reply)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(status_of(reply), "drained"));
}

/* Of a node without peers; negative: it has some, or does not know. */
static double flows_of(const cJSON *reply)
{
	const cJSON *flows = cJSON_GetObjectItemCaseSensitive(status_of(reply), "flows");

	return cJSON_IsNumber(flows) ? cJSON_GetNumberValue(flows) : -1;
}

static void print_outcome(const cJSON *reply, bool undo)
{
	const cJSON *zone;

	cJSON_ArrayForEach(zone, cJSON_GetObjectItemCaseSensitive(status_of(reply), "zones")) {
		printf("%s: %s\n", text_of(zone, "zone"), text_of(zone, "owner"));
	}
	if (!undo && !flows_of(reply))
		puts("no flow is left");
	else if (!undo && flows_of(reply) > 0)
		printf("%.0f flows are left and still served; drain_time is over\n",
		       flows_of(reply));
}

static int late(const cJSON *reply, unsigned int patience_s, struct err *err)
{
	if (flows_of(reply) >= 0)
		return err_set(err, STATUS_STATE, ETIMEDOUT,
			       "%.0f flows are left after %u s, it goes on: /status of the agent "
			       "shows how many",
			       flows_of(reply), patience_s);
	return err_set(err, STATUS_STATE, ETIMEDOUT,
		       "not everything is handed over after %u s, it goes on: 'natxdp failover "
		       "status' shows what is left",
		       patience_s);
}

int drain_run(const char *pin_dir, bool undo, unsigned int patience_s, struct err *err)
{
	cJSON *reply;
	int ret = ask_agent(pin_dir, ask_request(undo ? "undrain" : "drain"), &reply, err);

	for (unsigned int waited = 0; !ret && !undo && !is_drained(reply); waited += LOOK_MS) {
		if (waited >= patience_s * 1000)
			ret = late(reply, patience_s, err);
		cJSON_Delete(reply);
		reply = NULL;
		if (ret)
			return ret;
		usleep(LOOK_MS * 1000);
		ret = ask_agent(pin_dir, ask_request("status"), &reply, err);
	}
	if (!ret)
		print_outcome(reply, undo);
	cJSON_Delete(reply);
	return ret;
}
